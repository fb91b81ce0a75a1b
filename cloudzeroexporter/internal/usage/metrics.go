package usage

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The metrics that are read. LiteLLM renamed the one of costs in 1.96.
// https://docs.litellm.ai/docs/observability/opentelemetry_integration
const (
	metricCost    = "gen_ai.usage.cost"
	metricCostOld = "gen_ai.client.token.cost"
	metricTokens  = "gen_ai.client.token.usage" //nolint:gosec // of another kind
)

// MetricsReader reads points of metrics that tell what calls cost and used. It
// is safe for concurrent use.
type MetricsReader struct {
	liteLLM, others bool
	wanted          map[string]int // by attribute, its index in Record.Attributes
}

// NewMetricsReader returns a MetricsReader for the configuration.
func NewMetricsReader(cfg Config) *MetricsReader {
	r := &MetricsReader{wanted: make(map[string]int, len(cfg.Attributes))}
	for _, i := range cfg.Instrumentations {
		r.liteLLM = r.liteLLM || i == LiteLLM
		r.others = r.others || i != LiteLLM
	}
	for i, name := range cfg.Attributes {
		r.wanted[name] = i
	}
	return r
}

// PointVisitor takes what a [MetricsReader] reads.
type PointVisitor interface {
	// Known says that the point tells nothing new, so that who pays for it need
	// not be read.
	Known(*Point) bool
	// Visit takes a point with its record: hour and dimensions, for a delta also
	// its identity. Both are valid until Visit returns.
	Visit(*Point, *Record)
}

// Unread are the points of a request that were not visited.
type Unread struct {
	// Ignored are points of other metrics, or of no instrumentation that is
	// billed. Invalid are those whose sum is no amount or of no known meaning.
	Ignored, Invalid int
}

// Read visits every point of md that tells what calls cost or used. Arrived is
// the time at which md came.
func (r *MetricsReader) Read(md pmetric.Metrics, arrived time.Time, v PointVisitor) Unread {
	w := pointWalk{
		reader: r, visitor: v, arrived: uint64(arrived.UnixNano()),
		latest: uint64(arrived.Add(maxAhead).UnixNano()),
		other:  make([]string, len(r.wanted)),
	}
	for _, resource := range md.ResourceMetrics().All() {
		w.resource, w.resourceHash = resource.Resource().Attributes(), 0
		for _, scope := range resource.ScopeMetrics().All() {
			w.renamed = hasMetric(scope.Metrics(), metricCost)
			w.liteLLMScope = isLiteLLMScope(scope.Scope().Name())
			for _, m := range scope.Metrics().All() {
				w.metric(m)
			}
		}
	}
	return w.unread
}

func hasMetric(metrics pmetric.MetricSlice, name string) bool {
	for _, m := range metrics.All() {
		if m.Name() == name {
			return true
		}
	}
	return false
}

// pointWalk is one walk through a request.
type pointWalk struct {
	reader          *MetricsReader
	visitor         PointVisitor
	arrived, latest uint64
	unread          Unread

	resource     pcommon.Map
	resourceHash uint64 // 0 until somebody needs it
	renamed      bool   // the scope has the cost by its new name, so the old one repeats it
	liteLLMScope bool

	// Of the metric:
	name       string
	cumulative bool

	point  Point
	record Record
	other  []string
}

func (w *pointWalk) metric(m pmetric.Metric) {
	w.name = m.Name()
	if w.name != metricCost && w.name != metricTokens && (w.name != metricCostOld || w.renamed) {
		w.unread.Ignored += pointCount(m)
		return
	}
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		w.histogram(m.Histogram())
	case pmetric.MetricTypeExponentialHistogram:
		w.exponential(m.ExponentialHistogram())
	case pmetric.MetricTypeSum:
		w.sum(m.Sum())
	default: // a gauge or summary of money does not add up
		w.unread.Invalid += pointCount(m)
	}
}

func (w *pointWalk) histogram(h pmetric.Histogram) {
	if !w.temporality(h.AggregationTemporality(), h.DataPoints().Len()) {
		return
	}
	for _, p := range h.DataPoints().All() {
		if w.begin(p.Attributes(), p.StartTimestamp(), p.Timestamp(), p.Flags(), p.HasSum()) {
			w.point.Sum, w.point.Count = p.Sum(), p.Count()
			w.take()
		}
	}
}

func (w *pointWalk) exponential(h pmetric.ExponentialHistogram) {
	if !w.temporality(h.AggregationTemporality(), h.DataPoints().Len()) {
		return
	}
	for _, p := range h.DataPoints().All() {
		if w.begin(p.Attributes(), p.StartTimestamp(), p.Timestamp(), p.Flags(), p.HasSum()) {
			w.point.Sum, w.point.Count = p.Sum(), p.Count()
			w.take()
		}
	}
}

// sum reads a plain sum, which does not tell of how many calls.
func (w *pointWalk) sum(s pmetric.Sum) {
	if !s.IsMonotonic() { // where it falls, nobody could tell a reset
		w.unread.Invalid += s.DataPoints().Len()
		return
	}
	if !w.temporality(s.AggregationTemporality(), s.DataPoints().Len()) {
		return
	}
	for _, p := range s.DataPoints().All() {
		hasSum := p.ValueType() != pmetric.NumberDataPointValueTypeEmpty
		if !w.begin(p.Attributes(), p.StartTimestamp(), p.Timestamp(), p.Flags(), hasSum) {
			continue
		}
		w.point.Sum = p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			w.point.Sum = float64(p.IntValue())
		}
		w.take()
	}
}

// temporality takes over the metric's, or gives its points up when it has none.
func (w *pointWalk) temporality(t pmetric.AggregationTemporality, points int) bool {
	w.cumulative = t == pmetric.AggregationTemporalityCumulative
	if !w.cumulative && t != pmetric.AggregationTemporalityDelta {
		w.unread.Invalid += points
		return false
	}
	return true
}

// begin reads what points of all kinds have, or says that the point is not read.
// It takes the parts, because an interface would cost an allocation.
func (w *pointWalk) begin(attributes pcommon.Map, start, at pcommon.Timestamp, flags pmetric.DataPointFlags, hasSum bool) bool {
	series := fingerprintOf(attributes)
	billed := w.reader.others
	if series.liteLLM || w.liteLLMScope {
		billed = w.reader.liteLLM
	}
	w.point = Point{Cumulative: w.cumulative, Start: uint64(start), Time: uint64(at), attributes: attributes}
	known := true
	if w.name == metricTokens {
		w.point.Measure, known = measureOf(series.tokenType)
	}
	switch {
	case !billed, !known, flags.NoRecordedValue():
		w.unread.Ignored++
		return false
	case !hasSum:
		w.unread.Invalid++
		return false
	}
	w.point.Series = w.identify(series.hash)
	if w.point.Time < earliest || w.point.Time > w.latest {
		w.point.Time, w.point.Corrected = w.arrived, true
	}
	return true
}

// measureOf reads a token type, by OpenTelemetry's names or those of LiteLLM's
// releases of late 2025.
func measureOf(tokenType string) (Measure, bool) {
	switch tokenType {
	case "input", "prompt":
		return InputTokens, true
	case "output", "completion":
		return OutputTokens, true
	default:
		return 0, false
	}
}

// take visits the point, which is complete now.
func (w *pointWalk) take() {
	switch {
	case !w.point.believe():
		w.unread.Invalid++
	case w.visitor.Known(&w.point):
	default:
		w.describe()
		w.visitor.Visit(&w.point, &w.record)
	}
}

func pointCount(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	default:
		return 0
	}
}
