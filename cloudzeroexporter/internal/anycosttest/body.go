package anycosttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// drop is a body that was read.
type drop struct {
	Month     string                       `json:"month"`
	Operation string                       `json:"operation"`
	Data      []map[string]json.RawMessage `json:"data"`

	rows []row
}

// row is one cost line; bytes is what its JSON takes.
type row struct {
	columns map[string]string
	bytes   int
}

func (r row) hour() string { return r.columns["time/usage_start"] }

var (
	monthPattern  = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])$`)
	numberPattern = regexp.MustCompile(`^\d+(\.\d+)?$`)
	tagPattern    = regexp.MustCompile(`^[A-Za-z0-9_.:/=+@-]+$`)

	operations = []string{"replace_drop", "replace_hourly", "sum"}
	lineItems  = []string{
		"Usage", "Tax", "Support", "Purchase", "CommittedUsePurchase", "Discount", "Credit", "Fee", "Adjustment",
	}
	columns = []string{
		"time/usage_start", "time/usage_end", "cost/cost", "cost/amortized_cost", "cost/discounted_cost",
		"cost/discounted_amortized_cost", "cost/on_demand_cost", "lineitem/type", "lineitem/id", "lineitem/description",
		"lineitem/cloud_provider", "resource/id", "resource/service", "resource/account", "resource/region",
		"resource/usage_family", "action/operation", "action/usage_type", "action/account", "action/region",
		"usage/amount", "usage/units", "bill/invoice_id",
	}
)

// parse reads a body and says all that is wrong with it.
func parse(r *http.Request, body []byte) (d drop, problems []string) {
	if t := r.Header.Get("Content-Type"); t != "application/json" {
		problems = append(problems, fmt.Sprintf("Content-Type is %q", t))
	}
	if e := r.Header.Get("Content-Encoding"); e != "" {
		problems = append(problems, fmt.Sprintf("Content-Encoding is %q", e))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, append(problems, err.Error())
	}
	if _, err := decoder.Token(); err != io.EOF {
		problems = append(problems, "something follows the body")
	}
	if !monthPattern.MatchString(d.Month) {
		problems = append(problems, fmt.Sprintf("month is %q", d.Month))
	}
	if d.Operation == "" {
		d.Operation = "replace_drop"
	}
	if !slices.Contains(operations, d.Operation) {
		problems = append(problems, fmt.Sprintf("operation is %q", d.Operation))
	}
	for i, data := range d.Data {
		parsed, wrong := parseRow(data, d.Month)
		for _, w := range wrong {
			problems = append(problems, fmt.Sprintf("row %d: %s", i, w))
		}
		d.rows = append(d.rows, parsed)
	}
	return d, problems
}

func parseRow(data map[string]json.RawMessage, month string) (r row, problems []string) {
	r.columns = make(map[string]string, len(data))
	tagged := false
	for column, raw := range data {
		var value *string
		if err := json.Unmarshal(raw, &value); err != nil || value == nil {
			problems = append(problems, column+" is not a string")
			continue
		}
		r.columns[column] = *value
		r.bytes += len(column) + len(raw) + len(`"":,`)
		tag, isTag := strings.CutPrefix(column, "resource/tag:")
		tagged = tagged || isTag
		switch {
		case isTag && !tagPattern.MatchString(tag):
			problems = append(problems, fmt.Sprintf("%q is not a tag", column))
		case !isTag && !slices.Contains(columns, column):
			problems = append(problems, fmt.Sprintf("%q is not a column", column))
		case (strings.HasPrefix(column, "cost/") || column == "usage/amount") && !numberPattern.MatchString(*value):
			problems = append(problems, fmt.Sprintf("%s %q is not a plain decimal", column, *value))
		}
	}
	if _, ok := r.columns["cost/cost"]; !ok {
		problems = append(problems, "cost/cost is missing")
	}
	if item, ok := r.columns["lineitem/type"]; ok && !slices.Contains(lineItems, item) {
		problems = append(problems, fmt.Sprintf("lineitem/type is %q", item))
	}
	if tagged && r.columns["resource/id"] == "" {
		problems = append(problems, "a tag without resource/id")
	}
	start, err := time.Parse(time.RFC3339, r.hour())
	switch {
	case err != nil || start.Location() != time.UTC || !start.Equal(start.Truncate(time.Hour)):
		problems = append(problems, fmt.Sprintf("time/usage_start %q is not a full hour in UTC", r.hour()))
	case start.Format("2006-01") != month:
		problems = append(problems, fmt.Sprintf("time/usage_start %s is not in month %s", r.hour(), month))
	}
	return r, problems
}

// hours are the hours of the rows, in order, each once.
func (d drop) hours() []string {
	var hours []string
	for _, r := range d.rows {
		hours = append(hours, r.hour())
	}
	slices.Sort(hours)
	return slices.Compact(hours)
}
