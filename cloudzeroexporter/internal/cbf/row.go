package cbf

import (
	"github.com/cespare/xxhash/v2"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Totals are what a row adds up.
type Totals struct {
	Cost     billing.Amount
	Tokens   billing.Tokens
	Requests uint64
	// Unpriced are those of the requests that had no price, UnpricedTokens their
	// tokens.
	Unpriced, UnpricedTokens uint64
}

// Add returns the sum of both totals.
func (t Totals) Add(o Totals) Totals {
	t.Increase(&o)
	return t
}

// Increase adds o to t.
func (t *Totals) Increase(o *Totals) {
	t.Cost = t.Cost.Add(o.Cost)
	t.Tokens.Input += o.Tokens.Input
	t.Tokens.Output += o.Tokens.Output
	t.Tokens.CacheRead += o.Tokens.CacheRead
	t.Tokens.CacheWrite += o.Tokens.CacheWrite
	t.Requests += o.Requests
	t.Unpriced += o.Unpriced
	t.UnpricedTokens += o.UnpricedTokens
}

// Sub returns t less o, which is a part of it.
func (t Totals) Sub(o Totals) Totals {
	return Totals{
		t.Cost.Sub(o.Cost), t.Tokens.Sub(o.Tokens), t.Requests - o.Requests,
		t.Unpriced - o.Unpriced, t.UnpricedTokens - o.UnpricedTokens,
	}
}

// Labels are names for the ids in a key. They may change; the last one holds.
type Labels struct{ TeamAlias, APIKeyAlias string }

// Hash tells labels apart within a process; 0 is that of none.
func (l *Labels) Hash() uint64 {
	if l.TeamAlias == "" && l.APIKeyAlias == "" {
		return 0
	}
	hash := xxhash.Sum64String(l.TeamAlias)
	if l.APIKeyAlias != "" {
		hash = hash*3 + xxhash.Sum64String(l.APIKeyAlias)
	}
	return hash
}

// Row is one cost line of one hour.
type Row struct {
	Dimensions
	Labels
	Totals
}

// Format says how rows print themselves.
type Format struct {
	// TokenTags adds prompt_tokens and completion_tokens as tags.
	TokenTags bool
}

// ResourceID is the row's CZRN.
func (r Row) ResourceID() string { return string(appendCZRN(nil, r.Dimensions)) }

// amount is the row's usage: its tokens, or for models that have none, such as
// those for images, its requests.
func (r Row) amount() uint64 {
	if tokens := r.Tokens.Total(); tokens > 0 {
		return tokens
	}
	return r.Requests
}

func (r Row) units() string {
	if r.Tokens.Total() > 0 {
		return "tokens"
	}
	return "requests"
}

// splitTag is the key of the tag that shows a further dimension, or "".
func splitTag(name string) string {
	if tag, known := tagOf[name]; known {
		return tag
	}
	return tagKey(name)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}
