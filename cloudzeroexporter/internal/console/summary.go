package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// dimensionOf are the groupings by what is in a row.
var dimensionOf = map[string]dimension{"team": byTeam, "user": byUser, "model": byModel, "provider": byProvider}

// units are the groupings by time: the name of the one that an hour lies in.
var units = map[string]func(billing.Hour, *time.Location) string{
	"hour": func(h billing.Hour, _ *time.Location) string { return h.String() },
	"day":  func(h billing.Hour, zone *time.Location) string { return h.Start().In(zone).Format(time.DateOnly) },
}

// question is what is asked of the spending.
type question struct {
	by       string // a grouping
	from, to billing.Hour
	zone     *time.Location
}

// spending is its answer.
type spending struct {
	groups []group
	all    group
}

// summary is GET /cloudzero/summary?group_by&from&to&per&offset&limit: who spends
// what.
func (c *console) summary(e Exports, r *http.Request) (any, error) {
	query := r.URL.Query()
	q := question{by: cmp.Or(query.Get("group_by"), "team"), zone: e.Settings().Timezone}
	var list span
	err := onlyParameters(r, "group_by", "from", "to", "per", "offset", "limit")
	if err == nil {
		q.from, q.to, err = queryRange(r, q.zone)
	}
	if err == nil {
		list, err = querySpan(r)
	}
	if err == nil && !q.known() {
		err = fmt.Errorf("group_by: %q is none of team, user, model, provider, day and hour", q.by)
	}
	if err != nil {
		return nil, badRequest(err)
	}
	if per := query.Get("per"); per != "" {
		return c.series(r.Context(), e, q, per, list)
	}
	s, err := c.spending(r.Context(), e, q)
	if err != nil {
		return nil, err
	}
	return struct {
		GroupBy  string         `json:"group_by"`
		Total    billing.Amount `json:"total_cost"`
		Tokens   uint64         `json:"total_tokens"`
		Requests uint64         `json:"total_requests"`
		Count    int            `json:"total_groups"`
		Groups   []group        `json:"groups"`
	}{q.by, s.all.Cost, s.all.Tokens, s.all.Requests, len(s.groups), part(list, s.groups)}, nil
}

func (q question) known() bool {
	_, row := dimensionOf[q.by]
	_, unit := units[q.by]
	return row || unit
}

// hours are those of the range, oldest first.
func (q question) hours(e Exports) (hours []ledger.Summary) {
	for _, h := range e.Hours() {
		if h.Hour >= q.from && h.Hour < q.to {
			hours = append(hours, h)
		}
	}
	return hours
}

// spending adds up the hours of the range, the largest group first, or in the
// order of time.
func (c *console) spending(ctx context.Context, e Exports, q question) (s spending, err error) {
	groups := make(map[string]*group)
	for _, h := range q.hours(e) {
		sums, err := c.sums.hour(ctx, e, h)
		if err != nil {
			return s, err
		}
		for _, line := range q.lines(h.Hour, sums) {
			addTo(groups, line)
			s.all.add(line)
		}
	}
	s.groups = make([]group, 0, len(groups))
	for _, g := range groups {
		s.groups = append(s.groups, *g)
	}
	_, byTime := units[q.by]
	slices.SortFunc(s.groups, func(a, b group) int {
		if byTime {
			return cmp.Compare(a.Name, b.Name)
		}
		return largestFirst(a, b)
	})
	return s, nil
}

func largestFirst(a, b group) int {
	return cmp.Or(b.Cost.Cmp(a.Cost), cmp.Compare(b.Tokens, a.Tokens), cmp.Compare(a.Name, b.Name))
}

// lines are an hour's sums, under the names of the grouping.
func (q question) lines(at billing.Hour, sums *hourSums) []group {
	if d, ok := dimensionOf[q.by]; ok {
		return sums.by[d]
	}
	all := group{Name: units[q.by](at, q.zone)}
	for _, line := range sums.by[byProvider] { // any does; it is the shortest
		all.add(line)
	}
	return []group{all}
}
