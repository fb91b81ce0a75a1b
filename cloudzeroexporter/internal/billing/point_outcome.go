package billing

// PointOutcome says what became of a point of a metric. Every point that arrives
// ends in exactly one of them, so that their counters add up to the points
// received.
type PointOutcome uint8

const (
	// PointIgnored is a point that tells nothing of the cost or use of calls.
	PointIgnored PointOutcome = iota
	// PointBilled is a point whose news is in the books.
	PointBilled
	// PointUnchanged is a point of a cumulative series without news: repeated, or
	// older than what is in the books.
	PointUnchanged
	// PointDuplicate is a delta that is in the books already.
	PointDuplicate
	// PointSkipped is the first point of a series that may have been counted
	// before: its sum is where counting begins.
	PointSkipped
	// PointExcess is a point of a series beyond the limit.
	PointExcess
	// PointInvalid is a point whose sum is no amount, or does not add up.
	PointInvalid
	// PointRejected is a point of an hour that the books have closed for good.
	PointRejected

	// PointOutcomes is the number of outcomes, for arrays indexed by them.
	PointOutcomes = iota
)

var pointOutcomeNames = [PointOutcomes]string{
	"ignored", "billed", "unchanged", "duplicate", "skipped", "excess", "invalid", "rejected",
}

// String is the outcome's name in metrics.
func (o PointOutcome) String() string { return pointOutcomeNames[o] }
