package cloudzeroexporter

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/series"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// metricsWatch adds up what metrics tell where they are not billed. It keeps
// nothing over a restart, and begins with what series have reached by its start.
type metricsWatch struct {
	reader *usage.MetricsReader

	mu     sync.Mutex // guards everything below
	series *series.Set
	cost   billing.Amount
	now    billing.Hour
	hours  ledger.HourCosts // of the request that is being read
}

func newMetricsWatch(reader *usage.MetricsReader, limit int, begun time.Time) *metricsWatch {
	w := &metricsWatch{reader: reader, series: series.NewSet(limit)}
	w.series.Distrust(uint64(begun.UnixNano()))
	return w
}

// told is what metrics have told since the start.
func (w *metricsWatch) told() billing.Amount {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cost
}

// read takes a request in, and returns what it told that is new.
func (w *metricsWatch) read(md pmetric.Metrics, now time.Time) ledger.HourCosts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if hour := billing.HourOf(now); hour != w.now {
		w.now = hour
		w.series.Forget(hour - quietHours)
	}
	w.hours = nil
	w.reader.Read(md, now, w)
	w.series.Settle()
	for _, h := range w.hours {
		w.cost = w.cost.Add(h.Cost)
	}
	return w.hours
}

// quietHours is how long a series that is only watched is remembered unheard.
const quietHours = 24

// Known implements [usage.PointVisitor]. It sees every point; w.mu is held.
func (w *metricsWatch) Known(p *usage.Point) bool {
	switch {
	case p.Measure != usage.Cost:
	case p.Cumulative:
		w.hours.Add(billing.HourOfNanos(p.Time), w.step(series.Point{ID: p.Series, Start: p.Start, Time: p.Time, Sum: p.Sum, Count: p.Count}))
	default:
		cost, _, _ := p.Totals()
		w.hours.Add(billing.HourOfNanos(p.Time), cost)
	}
	return true // who pays does not matter here
}

// Visit implements [usage.PointVisitor].
func (*metricsWatch) Visit(*usage.Point, *usage.Record) {}

func (w *metricsWatch) step(p series.Point) (cost billing.Amount) {
	if w.series.Known(p, w.now) {
		return cost
	}
	step := w.series.Judge(p)
	switch step.Verdict {
	case series.Nothing, series.Excess:
		return cost
	case series.Earlier:
	default:
		cost = step.Cost(p)
	}
	w.series.Keep(p, w.now)
	return cost
}
