package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// summary is GET /cloudzero/summary?group_by&from&to: who spends what.
type summary struct {
	exports Exports
	opts    Options
}

// group is one line of it.
type group struct {
	Name     string         `json:"name"`
	Cost     billing.Amount `json:"cost"`
	Tokens   uint64         `json:"tokens"`
	Requests uint64         `json:"requests"`
}

func (s *summary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, to, err := hourRange(q.Get("from"), q.Get("to"), s.opts.Settings.Timezone, "from", "to")
	by := cmp.Or(q.Get("group_by"), "team")
	if _, known := s.names()[by]; err == nil && !known {
		err = fmt.Errorf("group_by: %q is none of team, user, model, provider, day and hour", by)
	}
	if err != nil {
		fail(w, s.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	lines, total, err := s.groups(r.Context(), by, from, to)
	if err != nil {
		fail(w, s.opts.Logger, http.StatusInternalServerError, err.Error())
		return
	}
	reply(w, s.opts.Logger, http.StatusOK, struct {
		GroupBy string         `json:"group_by"`
		Total   billing.Amount `json:"total_cost"`
		Count   int            `json:"total_groups"`
		Groups  []group        `json:"groups"`
	}{by, total, len(lines), lines[:min(len(lines), maxPage)]})
}

// groups adds up the hours from one up to another, the largest group first, or
// in the order of time.
func (s *summary) groups(ctx context.Context, by string, from, to billing.Hour) (lines []group, total billing.Amount, err error) {
	name := s.names()[by]
	groups := make(map[string]*group)
	for _, h := range s.exports.Hours() {
		if h.Hour < from || h.Hour >= to {
			continue
		}
		c, err := s.exports.Contents(ctx, h.Hour)
		if err != nil {
			return nil, total, err
		}
		for _, row := range c.Rows {
			n := name(c.Hour, row)
			if groups[n] == nil {
				groups[n] = &group{Name: n}
			}
			g := groups[n]
			g.Cost, g.Tokens, g.Requests = g.Cost.Add(row.Cost), g.Tokens+row.Tokens.Total(), g.Requests+row.Requests
			total = total.Add(row.Cost)
		}
	}
	lines = make([]group, 0, len(groups))
	for _, g := range groups {
		lines = append(lines, *g)
	}
	slices.SortFunc(lines, func(a, b group) int {
		if by == "day" || by == "hour" {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Or(b.Cost.Cmp(a.Cost), cmp.Compare(a.Name, b.Name))
	})
	return lines, total, nil
}

// names are the ways to group.
func (s *summary) names() map[string]func(billing.Hour, cbf.Row) string {
	return map[string]func(billing.Hour, cbf.Row) string{
		"team":     func(_ billing.Hour, r cbf.Row) string { return r.Team },
		"user":     func(_ billing.Hour, r cbf.Row) string { return dimension(r, cbf.User) },
		"model":    func(_ billing.Hour, r cbf.Row) string { return r.Model },
		"provider": func(_ billing.Hour, r cbf.Row) string { return r.Provider },
		"hour":     func(h billing.Hour, _ cbf.Row) string { return h.String() },
		"day": func(h billing.Hour, _ cbf.Row) string {
			return h.Start().In(s.opts.Settings.Timezone).Format(time.DateOnly)
		},
	}
}

func dimension(r cbf.Row, name string) string {
	for _, d := range r.Split {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// balance is GET /cloudzero/balance: read = posted + waiting + held, by month.
type balance struct {
	exports Exports
	opts    Options
}

func (b *balance) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	type month struct {
		Month      string         `json:"month"`
		Read       billing.Amount `json:"read"`
		Posted     billing.Amount `json:"posted"`
		Waiting    billing.Amount `json:"waiting"`
		Held       billing.Amount `json:"held"`
		FoldedRows int            `json:"folded_rows"`
	}
	type conflict struct {
		Month  string `json:"month"`
		Reason string `json:"reason"`
	}
	months, conflicts := []month{}, []conflict{}
	state := b.exports.State(time.Now())
	for _, m := range state.Months {
		months = append(months, month{m.Month.Month.String(), m.Read, m.Posted, m.Waiting, m.Held, m.Folded})
	}
	for _, c := range state.Conflicts {
		conflicts = append(conflicts, conflict{c.Month.String(), c.Reason})
	}
	reply(w, b.opts.Logger, http.StatusOK, struct {
		Months    []month        `json:"months"`
		Conflicts []conflict     `json:"conflicts"`
		Rejected  billing.Amount `json:"rejected"`
	}{months, conflicts, b.exports.Rejected()})
}
