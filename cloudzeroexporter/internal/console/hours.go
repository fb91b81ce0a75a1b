package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// hourLine is an hour in a list.
type hourLine struct {
	Hour       billing.Hour   `json:"hour"`
	State      string         `json:"state"`
	Rows       int            `json:"rows"`
	Cost       billing.Amount `json:"cost"`
	Posted     billing.Amount `json:"posted"`
	Waiting    billing.Amount `json:"waiting"`
	Tokens     uint64         `json:"tokens"`
	FoldedRows int            `json:"folded_rows,omitempty"`
	HeldRows   int            `json:"held_rows,omitempty"`
	PostedAt   *time.Time     `json:"posted_at"`
	// Doubt is the addition that somebody has to look for in CloudZero.
	Doubt *shipper.Doubt `json:"doubt,omitempty"`
}

// hours is GET /cloudzero/hours?from&to&offset&limit: the books' hours, newest
// first.
func (*console) hours(e Exports, r *http.Request) (any, error) {
	var (
		from, to billing.Hour
		list     span
	)
	err := onlyParameters(r, "from", "to", "offset", "limit")
	if err == nil {
		from, to, err = queryRange(r, e.Settings().Timezone)
	}
	if err == nil {
		list, err = querySpan(r)
	}
	if err != nil {
		return nil, badRequest(err)
	}
	lines := hourLines(e, from, to)
	return struct {
		Hours []hourLine `json:"hours"`
		Total int        `json:"total"`
	}{part(list, lines), len(lines)}, nil
}

// hourLines are the hours from one up to another, newest first.
func hourLines(e Exports, from, to billing.Hour) []hourLine {
	held := make(map[billing.Hour]shipper.HeldHour)
	for _, entry := range e.State(time.Now()).Held {
		held[entry.Hour] = entry
	}
	lines := []hourLine{}
	for _, s := range e.Hours() {
		if s.Hour >= from && s.Hour < to {
			entry, isHeld := held[s.Hour]
			line := hourLineOf(e, s, isHeld)
			line.Doubt = entry.Doubt
			lines = append(lines, line)
		}
	}
	slices.Reverse(lines)
	return lines
}

func hourLineOf(e Exports, s ledger.Summary, held bool) hourLine {
	line := hourLine{
		Hour: s.Hour, State: hourState(e, s, held), Rows: s.Rows, Cost: s.Totals.Cost, Posted: s.Posted.Cost, Waiting: s.Waiting(),
		Tokens: s.Totals.Tokens.Total(), FoldedRows: s.Posted.Folded, HeldRows: s.Posted.Held,
	}
	if s.Posted.At > 0 {
		line.PostedAt = known(time.Unix(s.Posted.At, 0))
	}
	return line
}

// hourState is what an hour is in, in one word.
func hourState(e Exports, s ledger.Summary, held bool) string {
	switch now := time.Now(); {
	case held:
		return "held"
	case now.Before(s.Hour.End()):
		return "open"
	case e.Due(s) && s.Posted.Revision > 0:
		return "late"
	case e.Due(s):
		return "due"
	case s.Unposted():
		return "settling"
	case s.Posted.Folded > 0:
		return "folded"
	default:
		return "posted"
	}
}
