package anycosttest

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Row is one row that the stream holds.
type Row map[string]string

// Hour is the row's time/usage_start.
func (r Row) Hour() string { return r["time/usage_start"] }

// Tag is the value of a tag, or "".
func (r Row) Tag(name string) string { return r["resource/tag:"+name] }

// Rows are all rows of all months, by hour and resource.
func (s *Server) Rows() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []Row
	for _, m := range s.months {
		for _, r := range m {
			rows = append(rows, maps.Clone(r.columns))
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Hour(), b.Hour()), strings.Compare(a["resource/id"], b["resource/id"]))
	})
	return rows
}

// Total is the cost of all rows, exact, as a plain decimal.
func (s *Server) Total() string {
	var costs []string
	for _, r := range s.Rows() {
		costs = append(costs, r["cost/cost"])
	}
	return Sum(costs...)
}

// Sum adds up plain decimals exactly. It panics on anything else.
func Sum(decimals ...string) string {
	sum, places := new(big.Rat), 0
	for _, d := range decimals {
		n, ok := new(big.Rat).SetString(d)
		if !ok || !numberPattern.MatchString(d) {
			panic("not a plain decimal: " + d)
		}
		if _, fraction, found := strings.Cut(d, "."); found {
			places = max(places, len(fraction))
		}
		sum.Add(sum, n)
	}
	text := sum.FloatString(places)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
