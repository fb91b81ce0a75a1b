package cloudzeroexporter

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/leaks"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// telemetry is the exporter's own metrics. Money is added up exactly in the
// books and becomes a double only when somebody looks.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	// outcomes are lists of one, so that none is made for each request.
	outcomes [billing.Outcomes][]metric.AddOption
	// counted are the same counts for the console, since the start.
	counted       [billing.Outcomes]struct{ spans, tokens atomic.Int64 }
	countedPoints [billing.PointOutcomes]atomic.Int64
	points        [billing.PointOutcomes]metric.MeasurementOption
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder}
	for o := range t.outcomes {
		t.outcomes[o] = []metric.AddOption{
			metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", billing.Outcome(o).String()))),
		}
	}
	for o := range t.points {
		t.points[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", billing.PointOutcome(o).String())))
	}
	return t, nil
}

// countPoints adds what became of a batch's points of metrics.
func (t *telemetry) countPoints(ctx context.Context, tally ledger.PointTally) {
	for o, points := range tally.Points {
		if points > 0 {
			t.builder.ExporterCloudzeroPoints.Add(ctx, points, t.points[o])
			t.countedPoints[o].Add(points)
		}
	}
	if tally.Resets > 0 {
		t.builder.ExporterCloudzeroSeriesResets.Add(ctx, tally.Resets)
	}
}

// count adds what became of a batch.
func (t *telemetry) count(ctx context.Context, tally ledger.Tally) {
	for o, spans := range tally.Spans {
		if spans > 0 {
			t.builder.ExporterCloudzeroSpans.Add(ctx, spans, t.outcomes[o]...)
			t.counted[o].spans.Add(spans)
		}
		if tokens := tally.Tokens[o]; tokens > 0 {
			t.builder.ExporterCloudzeroTokens.Add(ctx, int64(tokens), t.outcomes[o]...) //nolint:gosec // bounded by billing.MaxTokens
			t.counted[o].tokens.Add(int64(tokens))                                      //nolint:gosec // likewise
		}
	}
	if tally.Corrected > 0 {
		t.builder.ExporterCloudzeroClockCorrections.Add(ctx, tally.Corrected)
	}
}

// tally is what became of everything since the start.
func (t *telemetry) tally() (all console.Outcomes) {
	for o := range t.counted {
		all.Spans[o] = console.Outcome{Spans: t.counted[o].spans.Load(), Tokens: t.counted[o].tokens.Load()}
	}
	for o := range t.countedPoints {
		all.Points[o] = t.countedPoints[o].Load()
	}
	return all
}

func (t *telemetry) committed(took time.Duration, err error) {
	t.builder.ExporterCloudzeroCommitDuration.Record(context.Background(), took.Seconds(),
		metric.WithAttributes(attribute.Bool("success", err == nil)))
}

func (t *telemetry) posted(result string, took time.Duration) {
	t.builder.ExporterCloudzeroPosts.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", result)))
	t.builder.ExporterCloudzeroPostDuration.Record(context.Background(), took.Seconds())
}

// observe makes the gauges read the books and the shipper that there are at the
// time, the leaks and the metrics that are not billed, until shutdown.
func (t *telemetry) observe(current func() (*ledger.Ledger, *shipper.Shipper), l *leaks.Detector, unbilled *metricsWatch) error {
	if err := t.observeLeaks(l); err != nil {
		return err
	}
	balance := func() ledger.Balance { books, _ := current(); return books.Balance() }
	series := func() ledger.Series { books, _ := current(); return books.Series() }
	state := func() shipper.State { _, s := current(); return s.State(time.Now()) }
	integers := []struct {
		register func(metric.Int64Callback) error
		read     func() int
	}{
		{t.builder.RegisterExporterCloudzeroHoursCallback, func() int { return balance().Hours }},
		{t.builder.RegisterExporterCloudzeroRowsCallback, func() int { return balance().Rows }},
		{t.builder.RegisterExporterCloudzeroIdentitiesCallback, func() int { return balance().Identities }},
		{t.builder.RegisterExporterCloudzeroUncommittedCallsCallback, func() int { return balance().Uncommitted }},
		{t.builder.RegisterExporterCloudzeroFoldedRowsCallback, func() int { return folded(balance()) }},
		{t.builder.RegisterExporterCloudzeroSeriesCallback, func() int { return series().Known }},
		{t.builder.RegisterExporterCloudzeroSeriesLimitCallback, func() int { return series().Limit }},
		{t.builder.RegisterExporterCloudzeroConflictingMonthsCallback, func() int { return len(state().Conflicts) }},
		{t.builder.RegisterExporterCloudzeroDueHoursCallback, func() int { return state().Due }},
		{t.builder.RegisterExporterCloudzeroHeldHoursCallback, func() int { return len(state().Held) }},
	}
	for _, gauge := range integers {
		err := gauge.register(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(gauge.read()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	doubles := []struct {
		register func(metric.Float64Callback) error
		read     func() float64
	}{
		{t.builder.RegisterExporterCloudzeroRejectedCostCallback, func() float64 { return balance().Rejected.Float64() }},
		{t.builder.RegisterExporterCloudzeroIgnoredCostCallback, func() float64 { return unbilled.told().Float64() }},
		{t.builder.RegisterExporterCloudzeroSkippedCostCallback, func() float64 { return series().Skipped.Float64() }},
		{t.builder.RegisterExporterCloudzeroOldestDueHourAgeCallback, func() float64 { return dueFor(state(), time.Now()).Seconds() }},
	}
	for _, gauge := range doubles {
		err := gauge.register(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(gauge.read())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return t.observeMonths(state)
}

// observeMonths makes the gauges that read = posted + waiting + held can be seen
// from, month by month.
func (t *telemetry) observeMonths(state func() shipper.State) error {
	for _, gauge := range []struct {
		register func(metric.Float64Callback) error
		read     func(shipper.Month) billing.Amount
	}{
		{t.builder.RegisterExporterCloudzeroCostReadCallback, func(m shipper.Month) billing.Amount { return m.Read }},
		{t.builder.RegisterExporterCloudzeroCostPostedCallback, func(m shipper.Month) billing.Amount { return m.Posted }},
		{t.builder.RegisterExporterCloudzeroCostWaitingCallback, func(m shipper.Month) billing.Amount { return m.Waiting }},
		{t.builder.RegisterExporterCloudzeroHeldCostCallback, func(m shipper.Month) billing.Amount { return m.Held }},
	} {
		err := gauge.register(func(_ context.Context, o metric.Float64Observer) error {
			for _, m := range state().Months {
				o.Observe(gauge.read(m).Float64(), metric.WithAttributes(attribute.String("month", m.Month.Month.String())))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// observeLeaks shows every kind of leak, also those that there are none of, so
// that an alert on one knows it.
func (t *telemetry) observeLeaks(l *leaks.Detector) error {
	err := t.builder.RegisterExporterCloudzeroLeaksCallback(func(_ context.Context, o metric.Int64Observer) error {
		for k, n := range l.Counts() {
			o.Observe(n, metric.WithAttributes(attribute.String("kind", leaks.Kind(k).String())))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.builder.RegisterExporterCloudzeroRequestTracesCallback(func(_ context.Context, o metric.Int64Observer) error {
		traces := l.Traces()
		o.Observe(traces.Found, metric.WithAttributes(attribute.String("call", "found")))
		o.Observe(traces.Missing, metric.WithAttributes(attribute.String("call", "missing")))
		o.Observe(traces.Unjudged, metric.WithAttributes(attribute.String("call", "unjudged")))
		return nil
	})
}

// shutdown lets go of the gauges. It may be called more than once.
func (t *telemetry) shutdown() { t.builder.Shutdown() }

// dueFor is how long the oldest due hour has been due.
func dueFor(state shipper.State, now time.Time) time.Duration {
	if state.Due == 0 {
		return 0
	}
	return now.Sub(state.OldestDue)
}

func folded(b ledger.Balance) (rows int) {
	for _, m := range b.Months {
		rows += m.Folded
	}
	return rows
}
