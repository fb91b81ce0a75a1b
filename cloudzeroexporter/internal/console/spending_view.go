package console

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// spendingView is the part of the page that says who spends what.
type spendingView struct {
	By        string
	Groupings []string
	Days      int
	Ranges    []dayRange
	Per       string
	Pers      []string

	From, To time.Time
	Groups   []group
	Pages    pages
	All      group
	Series   series
	// Lines are the series as a table: one for each time.
	Lines []seriesLine
}

// dayRange is a range that the page offers: so many days up to the newest hour.
type dayRange struct {
	Days int
	Name string
}

// seriesLine is what was spent at one time: by the largest groups, then by the
// rest, and by all.
type seriesLine struct {
	Time  string
	Costs []billing.Amount
	All   billing.Amount
}

var dayRanges = []dayRange{{1, "1 day"}, {7, "7 days"}, {31, "31 days"}}

// hourlyDays is the longest range that is shown by the hour.
const hourlyDays = 7

func (c *console) spendingView(ctx context.Context, e Exports, query url.Values) (v spendingView, err error) {
	v = spendingView{By: "team", Groupings: []string{"team", "user", "model", "provider"}, Days: 7, Ranges: dayRanges, Pers: []string{"day", "hour"}}
	if by := query.Get("group_by"); slices.Contains(v.Groupings, by) {
		v.By = by
	}
	for _, r := range dayRanges {
		if query.Get("days") == strconv.Itoa(r.Days) {
			v.Days = r.Days
		}
	}
	v.Per = v.per(query.Get("per"))
	hours := e.Hours()
	if len(hours) == 0 {
		return v, nil
	}
	const hoursOfDay = 24
	q := question{by: v.By, zone: e.Settings().Timezone, to: hours[len(hours)-1].Hour + 1}
	q.from = max(q.to-billing.Hour(v.Days*hoursOfDay), hours[0].Hour)
	v.From, v.To = q.from.Start(), q.to.Start()
	s, err := c.spending(ctx, e, q)
	if err != nil {
		return v, err
	}
	v.All = s.all
	v.Pages = pagesOf(query, "groups", len(s.groups), pageGroups)
	v.Groups = part(v.Pages.span, s.groups)
	if v.Series, err = c.overTime(ctx, e, q, v.Per, s, topGroups); err != nil {
		return v, err
	}
	v.Lines = v.Series.lines(q.zone)
	return v, nil
}

// per is the unit that the range is shown by.
func (v spendingView) per(asked string) string {
	if v.Days > hourlyDays || asked != "hour" && (asked == "day" || v.Days > 1) {
		return "day"
	}
	return "hour"
}

// lines turns the series from groups to times.
func (s series) lines(zone *time.Location) []seriesLine {
	lines := make([]seriesLine, len(s.Times))
	runs := s.Groups
	if s.Rest != nil {
		runs = append(slices.Clip(runs), *s.Rest)
	}
	for i, at := range s.Times {
		lines[i].Time = at
		if h, err := billing.ParseHour(at); err == nil {
			lines[i].Time = h.Start().In(zone).Format("2006-01-02 15:04")
		}
		for _, r := range runs {
			lines[i].Costs = append(lines[i].Costs, r.Costs[i])
			lines[i].All = lines[i].All.Add(r.Costs[i])
		}
	}
	return lines
}
