package cbf

import (
	"iter"
	"strconv"

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
	return Totals{
		t.Cost.Add(o.Cost), t.Tokens.Add(o.Tokens), t.Requests + o.Requests,
		t.Unpriced + o.Unpriced, t.UnpricedTokens + o.UnpricedTokens,
	}
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
func (r Row) ResourceID() string { return czrn(r.Dimensions) }

// Columns yields the row's CBF columns that have a value, in a fixed order.
func (f Format) Columns(h billing.Hour, r Row) iter.Seq2[string, string] {
	return func(yield func(column, value string) bool) {
		for _, c := range [...][2]string{
			{"time/usage_start", h.String()},
			{"cost/cost", r.Cost.String()},
			{"usage/amount", strconv.FormatUint(r.amount(), 10)},
			{"usage/units", r.units()},
			{"resource/id", r.ResourceID()},
			{"resource/service", serviceType},
			{"resource/account", orUnknown(r.Team)},
			{"resource/region", region},
			{"resource/usage_family", resourceType},
			{"lineitem/type", "Usage"},
		} {
			if !yield(c[0], c[1]) {
				return
			}
		}
		for tag, value := range f.tags(r) {
			if value != "" && !yield("resource/tag:"+tag, value) {
				return
			}
		}
	}
}

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

// tags yields the row's tags, the empty ones too.
func (f Format) tags(r Row) iter.Seq2[string, string] {
	return func(yield func(tag, value string) bool) {
		_ = yield("provider", r.Provider) &&
			yield("model", r.Model) &&
			yield("team_id", r.Team) &&
			yield("team_alias", r.TeamAlias) &&
			f.splitTags(r, yield) &&
			yield("api_key_alias", r.APIKeyAlias) &&
			f.TokenTags && r.Tokens.Total() > 0 &&
			yield("prompt_tokens", strconv.FormatUint(r.Tokens.Input, 10)) &&
			yield("completion_tokens", strconv.FormatUint(r.Tokens.Output, 10))
	}
}

func (Format) splitTags(r Row, yield func(tag, value string) bool) bool {
	for _, s := range r.Split {
		tag, known := tagOf[s.Name]
		if !known {
			tag = tagKey(s.Name)
		}
		if tag != "" && !yield(tag, s.Value) {
			return false
		}
	}
	return true
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}
