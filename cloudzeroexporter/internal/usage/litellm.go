package usage

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// isLiteLLM1 says that the span is a call in LiteLLM's first dialect. Only the
// attributes decide: names of spans and scopes are the callers' to choose.
func (c *collector) isLiteLLM1() bool {
	return c.has(1<<fieldRequestType) && c.has(1<<fieldHidden|1<<fieldKey1)
}

// isLiteLLM2 says that the span is a call in LiteLLM's second dialect.
func (c *collector) isLiteLLM2() bool {
	return c.has(1<<fieldCallID) && c.text(fieldOperation) != ""
}

func (c *collector) liteLLM1(r *Record, span ptrace.Span, failed bool) {
	p := c.price()
	r.Provider, r.Model = c.deployment()
	hidden := parseHidden(c.text(fieldHidden), hiddenWants{cost: !p.present, provider: r.Provider == ""})
	if !p.present {
		p = hidden.cost
	}
	if r.Provider == "" {
		r.Provider = c.guessProvider(hidden, r.Model)
	}
	r.Outcome = p.outcome(failed)
	r.Tokens = c.tokens()
	r.CacheHit, r.FromProvider = c.repeated(hidden, p), hidden.fromProvider
	r.ModelGroup = c.text(fieldModelGroup)
	r.Team, r.TeamAlias = c.text(fieldTeam1), c.text(fieldTeamAlias1)
	r.User = c.text(fieldUser1)
	r.APIKey, r.APIKeyAlias = c.text(fieldKey1), c.text(fieldKeyAlias1)
	r.EndUser = c.text(fieldEndUser1)
	r.Organization, r.Project = c.text(fieldOrganization1), c.text(fieldProject1)
	r.settle(p)
	var id identity
	r.Call = id.ofTimes(span, r, p)
	if !r.CacheHit {
		r.Answer = id.ofAnswer(c.text(fieldResponseID), r, p)
	}
}

// repeated says that LiteLLM's response cache answered, in one of the three ways
// in which the first dialect gives that away: its key; a cost of 0 beside the
// price of what was repeated (streams, until 1.9x); LiteLLM's own mark in the id
// (embeddings).
func (c *collector) repeated(hidden hiddenParams, p price) bool {
	return hidden.cacheKey || hidden.costZero && !p.amount.IsZero() || strings.Contains(c.text(fieldResponseID), "_cache_hit")
}

func (c *collector) liteLLM2(r *Record, span ptrace.Span, failed bool) {
	p := c.price()
	r.Provider, r.Model = c.deployment()
	r.Outcome = p.outcome(failed)
	r.Tokens = c.tokens()
	// Parts without a total are those of the call that was repeated.
	r.CacheHit = p.err == nil && p.amount.IsZero() && !failed && c.number(fieldCostTotal).present() && c.hasCostParts()
	r.ModelGroup = c.firstText(fieldModelGroup, fieldRequestModel)
	r.Team, r.TeamAlias = c.text(fieldTeam2), c.text(fieldTeamAlias2)
	r.User = c.text(fieldUser2)
	r.APIKey, r.APIKeyAlias = c.text(fieldKey2), c.text(fieldKeyAlias2)
	r.EndUser = c.text(fieldEndUser2)
	r.Organization, r.Project = c.text(fieldOrganization2), c.text(fieldProject2)
	r.settle(p)
	r.Call = callOf(span, r, p)
}

// hasCostParts says that of LiteLLM's parts of a cost, one is not 0.
func (c *collector) hasCostParts() bool {
	return !c.number(fieldCostInput).isZero() || !c.number(fieldCostOutput).isZero() || !c.number(fieldCostOriginal).isZero()
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

// tokens are the call's, as all dialects but OpenInference name them; LiteLLM's
// first one may hide those of the provider's cache in a text.
func (c *collector) tokens() (t billing.Tokens) {
	t.Input, _ = c.firstCount(fieldInput, fieldPrompt)
	t.Output, _ = c.firstCount(fieldOutput, fieldCompletion)
	read, readKnown := c.firstCount(fieldCacheRead, fieldCacheReadOld)
	write, writeKnown := c.firstCount(fieldCacheWrite, fieldCacheWriteOld)
	if !readKnown || !writeKnown {
		hidden := cacheCountsIn(c.text(fieldUsageObject))
		if !readKnown {
			read = hidden.read
		}
		if !writeKnown {
			write = hidden.write
		}
	}
	t.CacheRead, t.CacheWrite = read, write
	return t
}
