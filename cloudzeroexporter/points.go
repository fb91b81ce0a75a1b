package cloudzeroexporter

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// pushMetrics returns nil when the books have all of md.
func (e *cloudzeroExporter) pushMetrics(ctx context.Context, md pmetric.Metrics) error {
	if e.source == sourceTraces {
		return e.ignoreMetrics(ctx, md)
	}
	b := e.batches.Get().(*ledger.Batch)
	defer func() {
		b.Reset()
		e.batches.Put(b)
	}()
	books, users := e.hold() // the same ones know the points and get them
	defer users.Done()
	unread := e.metrics.Read(md, time.Now(), pointBatch{books, e.layout, b})
	b.CountPoints(billing.PointIgnored, unread.Ignored)
	b.CountPoints(billing.PointInvalid, unread.Invalid)
	err := books.Commit(ctx, b)
	tally := b.Tally()
	e.telemetry.count(ctx, tally)
	e.telemetry.countPoints(ctx, tally.PointTally)
	e.notices.give(e.set.Logger, tally.PointTally, e.cfg.Limits.Series)
	return err
}

// pointBatch puts the points that are read into a batch.
type pointBatch struct {
	books  *ledger.Ledger
	layout cbf.Layout
	*ledger.Batch
}

// Known implements [usage.PointVisitor].
func (b pointBatch) Known(p *usage.Point) bool {
	if !b.books.Known(p) {
		return false
	}
	b.CountPoints(billing.PointUnchanged, 1)
	return true
}

// Visit implements [usage.PointVisitor].
func (b pointBatch) Visit(p *usage.Point, r *usage.Record) { b.AddPoint(b.layout, p, r) }

// ignoreMetrics counts the points of metrics where spans are billed, and adds up
// what they tell, which is what the spans should.
func (e *cloudzeroExporter) ignoreMetrics(ctx context.Context, md pmetric.Metrics) error {
	var tally ledger.PointTally
	tally.Points[billing.PointIgnored] = int64(md.DataPointCount())
	e.telemetry.countPoints(ctx, tally)
	for _, h := range e.unbilled.read(md, time.Now()) {
		e.leaks.MetricsCost(h.Hour, h.Cost)
	}
	return nil
}

// ignoreTraces counts the spans where metrics are billed.
func (e *cloudzeroExporter) ignoreTraces(ctx context.Context, td ptrace.Traces) error {
	var tally ledger.Tally
	tally.Spans[billing.Ignored] = int64(td.SpanCount())
	e.telemetry.count(ctx, tally)
	return nil
}

// noticeEvery is how often the same notice is given at most.
const noticeEvery = 5 * time.Minute

// notices say what is wrong with metrics, each now and then.
type notices struct {
	mu    sync.Mutex // guards given
	given map[string]time.Time
}

func (n *notices) give(log *zap.Logger, tally ledger.PointTally, limit int) {
	if count := tally.Points[billing.PointExcess]; count > 0 && n.due("excess") {
		log.Error("There are more series of metrics than limits::series: those beyond it are not billed. "+
			"Nothing is lost as long as LiteLLM runs, because it sends them again: raise limits::series, "+
			"or use LITELLM_OTEL_V2=true, which has no series per request",
			zap.Int("limit", limit), zap.Int64("series_in_this_request", count), zap.Stringer("cost", tally.Excess))
	}
	if count := tally.Points[billing.PointSkipped]; count > 0 && n.due("skipped") {
		log.Warn("Series of metrics began before these books kept track of them: what they had counted is not billed, "+
			"because it may have been before; what they count from now on is",
			zap.Int64("series_in_this_request", count), zap.Stringer("cost", tally.Skipped))
	}
	if !tally.Earlier.IsZero() && n.due("earlier") {
		log.Warn("Series of metrics had counted before these books began; that is billed in the hour of their first point. "+
			"If somebody else billed it, such as books that were lost, stop before it is posted, remove these books from the storage, "+
			"and start with metrics::earlier: skip",
			zap.Stringer("cost_in_this_request", tally.Earlier))
	}
	if tally.Resets > 0 && n.due("resets") {
		log.Warn("A series of metrics fell although its start stayed, so it is counted from 0 again; "+
			"when this happens all the time, two processes send one series: give each its own service.instance.id",
			zap.Int64("series_in_this_request", tally.Resets))
	}
}

func (n *notices) due(what string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); now.Sub(n.given[what]) >= noticeEvery {
		if n.given == nil {
			n.given = make(map[string]time.Time)
		}
		n.given[what] = now
		return true
	}
	return false
}
