package usage

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Record is one model call as its span tells it: who pays, for what, how much.
// Its strings are the span's, and may be anything: who keeps one clones it, and
// shows it [Bounded].
type Record struct {
	// Outcome is what becomes of the span if nobody has told of this call yet:
	// Billed, Free, Unpriced, Failed or Invalid.
	Outcome billing.Outcome
	// Hour is the hour that the call started in.
	Hour billing.Hour
	// Corrected says that the span's start was missing or impossible, so that
	// Hour is the hour of its arrival.
	Corrected bool

	// Cost is zero unless Outcome is Billed.
	Cost billing.Amount
	// Tokens are the call's, also when they were not charged for.
	Tokens billing.Tokens
	// CacheHit says that LiteLLM's own response cache answered: nothing was
	// bought, so its tokens are no usage.
	CacheHit bool

	// Provider is LiteLLM's name: openai, azure, bedrock. Empty: unknown.
	Provider string
	// Model is the deployment's, without the provider's prefix.
	Model string
	// ModelGroup is the alias that callers ask for.
	ModelGroup string

	Team, TeamAlias     string
	User                string
	APIKey, APIKeyAlias string // APIKey is LiteLLM's hash of the key
	EndUser             string
	Organization        string
	Project             string
	// Attributes holds the values of the span attributes that the Reader was
	// asked for, in that order; the slice is reused for the next record.
	Attributes []string

	// Call identifies the call: two sightings of one call have the same.
	Call uint64
	// Answer identifies what the provider answered, where calls can share an
	// answer through LiteLLM's response cache; 0 means none.
	Answer uint64
	// FromProvider says that headers of the provider came with the answer.
	FromProvider bool

	// Span is the span that tells of the call.
	Span ptrace.Span
}
