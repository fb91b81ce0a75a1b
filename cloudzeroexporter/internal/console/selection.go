package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// maxPage is the most entries that one answer lists, if it does not say more.
const maxPage = 1000

// operations are what may be asked of an export; the first is the default.
var operations = []string{string(anycost.ReplaceHourly), string(anycost.Sum), string(anycost.ReplaceDrop)}

// selection is the fields by which a request chooses hours, as LiteLLM's do.
type selection struct {
	Limit     *int   `json:"limit"`
	Start     string `json:"start_time_utc"`
	End       string `json:"end_time_utc"`
	Operation string `json:"operation"`
}

func (s selection) choose(zone *time.Location) (c shipper.Selection, err error) {
	if s.Limit != nil {
		if *s.Limit < 1 {
			return c, fmt.Errorf("limit: %d is not a number of rows", *s.Limit)
		}
		c.Limit = *s.Limit
	}
	if s.Operation != "" && !slices.Contains(operations, s.Operation) {
		return c, fmt.Errorf("operation: %q is none of %s", s.Operation, strings.Join(operations, ", "))
	}
	c.Ranged = s.Start != "" || s.End != ""
	c.From, c.To, err = hourRange(s.Start, s.End, zone, "start_time_utc", "end_time_utc")
	return c, err
}

// forever is behind every hour that there will be.
const forever = billing.Hour(1 << 30)

// hourRange is the whole hours that two times touch; an empty one is open.
func hourRange(start, end string, zone *time.Location, startName, endName string) (from, to billing.Hour, err error) {
	to = forever
	if start != "" {
		at, err := parseTime(start, zone)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", startName, err)
		}
		from = billing.HourOf(at)
	}
	if end != "" {
		at, err := parseTime(end, zone)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", endName, err)
		}
		to = billing.HourOf(at.Add(time.Hour - 1))
	}
	if from >= to {
		return 0, 0, fmt.Errorf("%s: %s is not after %s", endName, end, start)
	}
	return from, to, nil
}

// parseTime reads a time; one without an offset is the zone's.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-24T03:00:00Z or 2026-11-24 03:00", text)
}

// onlyParameters refuses all others: behind a mistyped one there would be an answer
// to another question.
func onlyParameters(r *http.Request, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown parameter %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// queryRange is the hours of ?from&to.
func queryRange(r *http.Request, zone *time.Location) (from, to billing.Hour, err error) {
	q := r.URL.Query()
	return hourRange(q.Get("from"), q.Get("to"), zone, "from", "to")
}

// span is a part of a list.
type span struct{ offset, limit int }

// querySpan is the part that ?offset&limit choose, of at most maxPage entries.
func querySpan(r *http.Request) (s span, err error) {
	s.limit = maxPage
	for _, field := range []struct {
		name  string
		value *int
		least int
	}{{"offset", &s.offset, 0}, {"limit", &s.limit, 1}} {
		text := r.URL.Query().Get(field.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < field.least {
			return s, fmt.Errorf("%s: %q is not a number of entries", field.name, text)
		}
		*field.value = n
	}
	s.limit = min(s.limit, maxPage)
	return s, nil
}

// part returns the part of the list.
func part[T any](s span, list []T) []T {
	list = list[min(s.offset, len(list)):]
	return list[:min(s.limit, len(list))]
}
