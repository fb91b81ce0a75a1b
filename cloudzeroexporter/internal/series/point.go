package series

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// Point is a point of a cumulative series: what it has reached at a time.
type Point struct {
	// ID identifies the series since its start.
	ID uint64
	// Start and Time are in nanoseconds since 1970; a Start of 0 is unknown.
	Start, Time uint64
	// Sum is dollars or tokens, and believable.
	Sum   float64
	Count uint64
}

// Verdict is what a point is to its series.
type Verdict uint8

const (
	// Nothing is a point that repeats the last one or is older.
	Nothing Verdict = iota
	// More is a point that goes on from the last one.
	More
	// Reset is one whose sum or count fell: the series began again at 0.
	Reset
	// First is the first point of a series, whose whole sum is new.
	First
	// Earlier is the first point of a series that may have been counted
	// before: its sum is where counting begins, and adds nothing.
	Earlier
	// Excess is the first point of a series beyond the limit.
	Excess
)

// Step is what a point adds.
type Step struct {
	Verdict Verdict
	// from is the sum and count that it goes on from.
	fromSum   float64
	fromCount uint64
}

// Cost is the dollars that the point adds. Every sum is rounded once to 10^-15
// dollars, so the steps of a series add up to its last sum, whatever noise its
// doubles have.
func (s Step) Cost(p Point) billing.Amount {
	to, _ := billing.AmountOf(p.Sum)
	from, _ := billing.AmountOf(s.fromSum)
	if to.Cmp(from) < 0 {
		return billing.Amount{}
	}
	return to.Sub(from)
}

// Tokens is the tokens that the point adds.
func (s Step) Tokens(p Point) uint64 { return uint64(p.Sum) - uint64(s.fromSum) }

// Count is the calls that the point adds.
func (s Step) Count(p Point) uint64 { return p.Count - s.fromCount }
