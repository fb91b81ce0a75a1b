package billing

// Outcome says what became of a span. Every span that arrives ends in exactly
// one of them, so that their counters add up to the spans received.
type Outcome uint8

const (
	// Ignored is a span that is no LLM call.
	Ignored Outcome = iota
	// Billed is a call whose cost is in the books.
	Billed
	// Free is a call of which a cost of 0 was told: a hit of LiteLLM's response
	// cache, a model at price 0, or one whose price LiteLLM does not know.
	Free
	// Unpriced is a call with usage of which no cost was told.
	Unpriced
	// Failed is a call that ended in an error and cost nothing.
	Failed
	// Duplicate is another sighting of a call that is already in the books.
	Duplicate
	// Invalid is a call whose cost is not an amount of money.
	Invalid
	// Rejected is a call of an hour that the books have closed for good.
	Rejected

	// Outcomes is the number of outcomes, for arrays indexed by them.
	Outcomes = iota
)

var outcomeNames = [Outcomes]string{
	"ignored", "billed", "free", "unpriced", "failed", "duplicate", "invalid", "rejected",
}

// String is the outcome's name in metrics and on the console.
func (o Outcome) String() string { return outcomeNames[o] }
