package usage

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// isLiteLLM1 says that the span is a call in LiteLLM's first dialect. Only the
// attributes decide: names of spans and scopes are the callers' to choose.
func (c *collector) isLiteLLM1() bool {
	return c.present&hasRequestType != 0 && c.present&(hasHiddenParams|hasKeyHash) != 0
}

// isLiteLLM2 says that the span is a call in LiteLLM's second dialect.
func (c *collector) isLiteLLM2() bool {
	return c.present&hasCallID != 0 && c.operation != ""
}

func (c *collector) liteLLM1(span ptrace.Span, failed bool) Record {
	hidden := parseHidden(c.hidden)
	p := c.price()
	if !p.present {
		p = hidden.cost
	}
	r := Record{
		Outcome: p.outcome(failed),
		Tokens: billing.Tokens{
			Input:      firstCount(c.input, c.prompt),
			Output:     firstCount(c.output, c.completion),
			CacheRead:  c.cacheReadCount(),
			CacheWrite: c.cacheWriteCount(),
		},
		CacheHit:     c.repeated(hidden, p),
		FromProvider: hidden.fromProvider,
		ModelGroup:   first(c.modelGroup),
		Team:         first(c.team1),
		TeamAlias:    first(c.teamAlias1),
		User:         first(c.user1),
		APIKey:       first(c.key1),
		APIKeyAlias:  first(c.keyAlias1),
		EndUser:      first(c.endUser1),
		Organization: first(c.org1),
		Project:      first(c.project1),
		Attributes:   c.other,
	}
	r.Provider, r.Model = c.deployment()
	if r.Provider == "" {
		r.Provider = c.guessProvider(hidden, r.Model)
	}
	r.settle(p)
	var id identity
	r.Call = id.ofTimes(span, &r, p)
	if !r.CacheHit {
		r.Answer = id.ofAnswer(c.responseID, &r, p)
	}
	return r
}

// repeated says that LiteLLM's response cache answered, in one of the three ways
// in which the first dialect gives that away: its key; a cost of 0 beside the
// price of what was repeated (streams, until 1.9x); LiteLLM's own mark in the id
// (embeddings).
func (c *collector) repeated(hidden hiddenParams, p price) bool {
	chargedNothing := hidden.cost.present && hidden.cost.err == nil && hidden.cost.amount.IsZero()
	return hidden.cacheKey ||
		chargedNothing && !p.amount.IsZero() ||
		strings.Contains(c.responseID, "_cache_hit")
}

func (c *collector) liteLLM2(span ptrace.Span, failed bool) Record {
	p := c.price()
	r := Record{
		Outcome: p.outcome(failed),
		Tokens: billing.Tokens{
			Input:      firstCount(c.input, c.prompt),
			Output:     firstCount(c.output, c.completion),
			CacheRead:  c.cacheReadCount(),
			CacheWrite: c.cacheWriteCount(),
		},
		// Parts without a total are those of the call that was repeated.
		CacheHit:     c.costTotal.present() && p.err == nil && p.amount.IsZero() && c.present&hasCostParts != 0 && !failed,
		ModelGroup:   first(c.modelGroup, c.requestModel),
		Team:         first(c.team2),
		TeamAlias:    first(c.teamAlias2),
		User:         first(c.user2),
		APIKey:       first(c.key2),
		APIKeyAlias:  first(c.keyAlias2),
		EndUser:      first(c.endUser2),
		Organization: first(c.org2),
		Project:      first(c.project2),
		Attributes:   c.other,
	}
	r.Provider, r.Model = c.deployment()
	r.settle(p)
	r.Call = callOf(span, &r, p)
	return r
}

// settle gives the record its cost, or none.
func (r *Record) settle(p price) {
	if r.CacheHit {
		r.Outcome = billing.Free
	}
	if r.Outcome == billing.Billed {
		r.Cost = p.amount
	}
}

func (c *collector) cacheReadCount() uint64 {
	if c.cacheRead.present() || c.cacheReadOld.present() {
		return firstCount(c.cacheRead, c.cacheReadOld)
	}
	return countInRepr(c.usageObject, "'cache_read_input_tokens':", "'cached_tokens':")
}

func (c *collector) cacheWriteCount() uint64 {
	if c.cacheWrite.present() || c.cacheWriteOld.present() {
		return firstCount(c.cacheWrite, c.cacheWriteOld)
	}
	return countInRepr(c.usageObject, "'cache_creation_input_tokens':", "'cache_creation_tokens':")
}
