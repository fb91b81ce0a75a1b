package usage

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Measure is what a point of a metric measures.
type Measure uint8

const (
	// Cost is dollars; a histogram's count is the number of priced calls.
	Cost Measure = iota
	// InputTokens is tokens that were sent, those of cache hits included.
	InputTokens
	// OutputTokens is tokens that came back, likewise.
	OutputTokens
)

// Point is one point of a metric that tells what calls cost or used.
type Point struct {
	Measure Measure
	// Cumulative says that Sum and Count run since Start; otherwise the point
	// tells of the time from Start to Time alone.
	Cumulative bool
	// Series identifies what the point continues: metric, attributes and Start,
	// and where Start may be shared by processes, their resource.
	Series uint64
	// Start and Time are in nanoseconds since 1970. A Start of 0 is unknown.
	Start, Time uint64
	// Corrected says that the point had no time, or an impossible one, so that
	// Time is that of its arrival.
	Corrected bool
	// Sum is dollars or tokens, never negative. Count is 0 where unknown.
	Sum   float64
	Count uint64

	attributes pcommon.Map
}

// Totals are the point's own sums: what a delta adds, or what a cumulative
// series has reached.
func (p *Point) Totals() (cost billing.Amount, tokens billing.Tokens, requests uint64) {
	switch p.Measure {
	case InputTokens:
		tokens.Input = uint64(p.Sum)
	case OutputTokens:
		tokens.Output = uint64(p.Sum)
	default:
		cost, _ = billing.AmountOf(p.Sum) // the reader has checked it
		requests = p.Count
	}
	return cost, tokens, requests
}

const (
	// maxPointSum is the largest sum of one point that is believed, in dollars.
	maxPointSum = 1_000_000_000
	// maxPointTokens is the largest sum of tokens, which a double still counts
	// one by one.
	maxPointTokens = 1 << 53
)

// believe says whether the point's numbers can be what they say they are.
func (p *Point) believe() bool {
	switch {
	case !(p.Sum >= 0): // NaN too
		return false
	case p.Measure != Cost:
		return p.Sum <= maxPointTokens && p.Count <= maxPointTokens
	case p.Sum > maxPointSum || p.Count > maxPointTokens:
		return false
	default:
		return p.Count == 0 || p.Sum/float64(p.Count) <= maxCost
	}
}
