package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/series"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// PointTally counts what became of a batch's points of metrics.
type PointTally struct {
	Points [billing.PointOutcomes]int64
	// Cost is the dollars that the points told, that were not in the books yet,
	// and are now; Hours are the same, by hour. Their tokens are among the billed
	// ones of the Tally.
	Cost  billing.Amount
	Hours HourCosts
	// Earlier is the part of Cost that series had counted before the books began.
	Earlier billing.Amount
	// Skipped and Excess are the dollars of points with these outcomes.
	Skipped, Excess billing.Amount
	// Resets is the number of series whose sum or count fell under one start.
	Resets int64
}

// HourCost is the dollars of an hour.
type HourCost struct {
	Hour billing.Hour
	Cost billing.Amount
}

// HourCosts are the dollars of some hours, in no order.
type HourCosts []HourCost

// Add adds dollars to an hour.
func (c *HourCosts) Add(at billing.Hour, cost billing.Amount) {
	if cost.IsZero() {
		return
	}
	i := slices.IndexFunc(*c, func(h HourCost) bool { return h.Hour == at })
	if i < 0 {
		i = len(*c)
		*c = append(*c, HourCost{Hour: at})
	}
	(*c)[i].Cost = (*c)[i].Cost.Add(cost)
}

// pointCall is what the books take in of a point.
type pointCall struct {
	// call is the row's side of it. The totals of a delta are what it adds; a
	// cumulative point adds what its series did not tell yet.
	call
	cumulative bool
	measure    usage.Measure
	point      series.Point
}

// seriesPoint is the point as its series sees it.
func seriesPoint(p *usage.Point) series.Point {
	return series.Point{ID: p.Series, Start: p.Start, Time: p.Time, Sum: p.Sum, Count: p.Count}
}

// AddPoint puts a point into the batch, under the row that the layout gives its
// record.
func (b *Batch) AddPoint(l cbf.Layout, p *usage.Point, r *usage.Record) {
	if r.Corrected {
		b.tally.Corrected++
	}
	b.pointKeys = l.AppendKey(b.pointKeys, r)
	c := pointCall{cumulative: p.Cumulative, measure: p.Measure, point: seriesPoint(p), call: call{
		outcome: billing.Billed, hour: r.Hour, corrected: r.Corrected, identity: r.Call,
		keyEnd: len(b.pointKeys), labels: l.Labels(r),
	}}
	if !p.Cumulative {
		c.totals.Cost, c.totals.Tokens, c.totals.Requests = p.Totals()
	}
	b.points = append(b.points, c)
}

// CountPoints counts n points that the books need not look at.
func (b *Batch) CountPoints(o billing.PointOutcome, n int) {
	b.tally.Points[o] += int64(n)
	b.known = b.known || o == billing.PointUnchanged && n > 0
}

// Known says whether the books have all that a cumulative point tells. When they
// do, a batch must still count it, because storage may not have it yet.
func (l *Ledger) Known(p *usage.Point) bool {
	if !p.Cumulative {
		return false
	}
	now := billing.HourOf(time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.series.Known(seriesPoint(p), now)
}

// Series is what the books know of cumulative series.
type Series struct {
	// Known is how many they keep track of, at most Limit.
	Known, Limit int
	// Skipped is the cost that series had counted before, since the start.
	Skipped billing.Amount
}

// Series returns what the books know of cumulative series.
func (l *Ledger) Series() Series {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Series{Known: l.series.Len(), Limit: l.opts.SeriesLimit, Skipped: l.skipped}
}

// openPointHoursLocked sees to it that every hour of the batch's points is in
// memory, before any is applied, and that there is room for new series. What
// adds nothing was mostly left out by [Ledger.Known].
func (l *Ledger) openPointHoursLocked(ctx context.Context, b *Batch) error {
	for i := range b.points {
		p := &b.points[i]
		if p.cumulative && l.series.Judge(p.point).Verdict == series.Excess {
			l.makeRoomLocked(time.Now())
		}
		if l.tombs.has(p.hour) {
			continue
		}
		h, ok := l.hours[p.hour]
		if !ok {
			h = l.newHourLocked(p.hour)
		}
		if err := l.loadLocked(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// applyPointsLocked takes every point of the batch into the books, in memory.
func (l *Ledger) applyPointsLocked(b *Batch) {
	now := billing.HourOf(time.Now())
	begin := 0
	for i := range b.points {
		p := &b.points[i]
		key := b.pointKeys[begin:p.keyEnd]
		begin = p.keyEnd
		if p.cumulative {
			b.tally.Points[l.bookPointLocked(b, p, key, now)]++
		} else {
			b.tally.Points[l.bookDeltaLocked(b, p, key, now)]++
		}
	}
}

// bookDeltaLocked books a delta as if it were a call.
func (l *Ledger) bookDeltaLocked(b *Batch, p *pointCall, key []byte, now billing.Hour) billing.PointOutcome {
	if p.totals == (cbf.Totals{}) {
		return billing.PointUnchanged
	}
	switch l.bookLocked(l.hours[p.hour], &p.call, key, now) {
	case billing.Duplicate:
		return billing.PointDuplicate
	case billing.Rejected:
		return billing.PointRejected
	default:
		b.told(p.hour, p.totals)
		return billing.PointBilled
	}
}

// bookPointLocked books what a cumulative point adds to its series.
func (l *Ledger) bookPointLocked(b *Batch, p *pointCall, key []byte, now billing.Hour) billing.PointOutcome {
	step := l.series.Judge(p.point)
	t := p.adds(step)
	switch {
	case step.Verdict == series.Nothing:
		return billing.PointUnchanged
	case step.Verdict == series.Excess:
		l.series.Defer(p.point)
		b.tally.Excess = b.tally.Excess.Add(t.Cost)
		return billing.PointExcess
	case step.Verdict == series.Earlier:
		l.series.Keep(p.point, now)
		l.skipped, b.tally.Skipped = l.skipped.Add(t.Cost), b.tally.Skipped.Add(t.Cost)
		return billing.PointSkipped
	case l.tombs.has(p.hour):
		// Its series stays where it is: the next point, of an open hour, adds this too.
		l.rejected = l.rejected.Add(t)
		return billing.PointRejected
	case step.Verdict == series.Reset:
		b.tally.Resets++
	}
	l.series.Keep(p.point, now)
	if t != (cbf.Totals{}) {
		l.addLocked(l.hours[p.hour], key, &p.labels, &t)
		b.told(p.hour, t)
		if step.Verdict == series.First && p.point.Start < uint64(l.begun.UnixNano()) {
			b.tally.Earlier = b.tally.Earlier.Add(t.Cost)
		}
	}
	return billing.PointBilled
}

// adds is what the point adds to its row.
func (p *pointCall) adds(step series.Step) (t cbf.Totals) {
	switch p.measure {
	case usage.InputTokens:
		t.Tokens.Input = step.Tokens(p.point)
	case usage.OutputTokens:
		t.Tokens.Output = step.Tokens(p.point)
	default:
		t.Cost, t.Requests = step.Cost(p.point), step.Count(p.point)
	}
	return t
}

// addLocked adds to a row of an hour that is in memory.
func (l *Ledger) addLocked(h *hour, key []byte, labels *cbf.Labels, t *cbf.Totals) {
	l.pending.calls++
	l.pending.of(h).touch(h.add(key, labels, t))
}

// told counts what points told that is new.
func (b *Batch) told(at billing.Hour, t cbf.Totals) {
	b.tally.Tokens[billing.Billed] += t.Tokens.Total()
	b.tally.Cost = b.tally.Cost.Add(t.Cost)
	b.tally.Hours.Add(at, t.Cost)
}
