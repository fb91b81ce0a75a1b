package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

const (
	// topGroups is how many groups a series tells apart, if it is not asked for
	// another number.
	topGroups = 8
	// maxGroups and maxTimes bound a series.
	maxGroups = 50
	maxTimes  = 1000
)

// series is what the largest groups spend, over time.
type series struct {
	GroupBy string         `json:"group_by"`
	Per     string         `json:"per"`
	Total   billing.Amount `json:"total_cost"`
	// Times are days, or hours, without gaps.
	Times  []string `json:"times"`
	Groups []run    `json:"groups"`
	// Rest is all other groups together; nil when there are none.
	Rest *run `json:"rest,omitempty"`
}

// run is what a group spends, over the times of its series.
type run struct {
	group
	Costs []billing.Amount `json:"costs"`
}

// Group is whose run it is.
func (r run) Group() group { return r.group }

// series is GET /cloudzero/summary?per=day: what a chart shows.
func (c *console) series(ctx context.Context, e Exports, q question, per string, list span) (series, error) {
	if _, known := units[per]; !known {
		return series{}, badRequest(fmt.Errorf("per: %q is neither day nor hour", per))
	}
	if _, row := dimensionOf[q.by]; !row {
		return series{}, badRequest(errors.New("per: a series is grouped by team, user, model or provider"))
	}
	if list.limit > maxGroups {
		list.limit = topGroups
	}
	s, err := c.spending(ctx, e, q)
	if err != nil {
		return series{}, err
	}
	return c.overTime(ctx, e, q, per, s, list.limit)
}

// overTime tells what the spending's largest groups spent, over time.
func (c *console) overTime(ctx context.Context, e Exports, q question, per string, s spending, top int) (series, error) {
	hours := q.hours(e)
	out := series{GroupBy: q.by, Per: per, Total: s.all.Cost, Groups: []run{}, Times: []string{}}
	if len(hours) == 0 {
		return out, nil
	}
	first, last := hours[0].Hour, hours[len(hours)-1].Hour
	column := make(map[string]int)
	for h := first; h <= last; h++ {
		name := units[per](h, q.zone)
		if _, known := column[name]; known {
			continue
		}
		if len(out.Times) == maxTimes {
			return out, badRequest(fmt.Errorf("per: from %s to %s there is more than %d times a %s; choose a shorter range", first, last, maxTimes, per))
		}
		column[name] = len(out.Times)
		out.Times = append(out.Times, name)
	}
	runs := make(map[string]*run, top)
	for _, g := range s.groups[:min(top, len(s.groups))] {
		runs[g.Name] = &run{g, make([]billing.Amount, len(out.Times))}
	}
	rest := run{Costs: make([]billing.Amount, len(out.Times))}
	for _, h := range hours {
		sums, err := c.sums.hour(ctx, e, h)
		if err != nil {
			return out, err
		}
		at := column[units[per](h.Hour, q.zone)]
		for _, line := range q.lines(h.Hour, sums) {
			r, ok := runs[line.Name]
			if !ok {
				r = &rest
				rest.add(line)
			}
			r.Costs[at] = r.Costs[at].Add(line.Cost)
		}
	}
	for _, r := range slices.Collect(maps.Values(runs)) {
		out.Groups = append(out.Groups, *r)
	}
	slices.SortFunc(out.Groups, func(a, b run) int { return largestFirst(a.group, b.group) })
	if len(s.groups) > top {
		out.Rest = &rest
	}
	return out, nil
}
