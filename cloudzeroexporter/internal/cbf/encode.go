package cbf

import (
	"encoding/json"
	"iter"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// AppendJSON appends the row as the JSON object that AnyCost takes: every value
// a string, columns without a value left out, always in the same order.
func (f Format) AppendJSON(b []byte, h billing.Hour, r Row) []byte {
	b = append(b, `{"time/usage_start":"`...)
	b = h.Append(b)
	b = append(b, `","cost/cost":"`...)
	b = r.Cost.Append(b)
	b = append(b, `","usage/amount":"`...)
	b = strconv.AppendUint(b, r.amount(), 10)
	b = append(b, `","usage/units":"`...)
	b = append(b, r.units()...)
	b = append(b, `","resource/id":`...)
	b = quoteTail(appendCZRN(b, r.Dimensions), len(b))
	b = append(b, `,"resource/service":"`+serviceType+`","resource/account":`...)
	b = appendQuoted(b, orUnknown(r.Team))
	b = append(b, `,"resource/region":"`+region+`","resource/usage_family":"`+resourceType+`","lineitem/type":"Usage"`...)
	b = appendTag(b, "provider", r.Provider)
	b = appendTag(b, "model", r.Model)
	b = appendTag(b, "team_id", r.Team)
	b = appendTag(b, "team_alias", r.TeamAlias)
	for _, s := range r.Split {
		b = appendTag(b, splitTag(s.Name), s.Value)
	}
	b = appendTag(b, "api_key_alias", r.APIKeyAlias)
	if f.TokenTags && r.Tokens.Total() > 0 {
		b = append(b, `,"resource/tag:prompt_tokens":"`...)
		b = strconv.AppendUint(b, r.Tokens.Input, 10)
		b = append(b, `","resource/tag:completion_tokens":"`...)
		b = strconv.AppendUint(b, r.Tokens.Output, 10)
		b = append(b, '"')
	}
	return append(b, '}')
}

// Columns yields the row's CBF columns that have a value, in the order of
// [Format.AppendJSON].
func (f Format) Columns(h billing.Hour, r Row) iter.Seq2[string, string] {
	return func(yield func(column, value string) bool) {
		gjson.ParseBytes(f.AppendJSON(nil, h, r)).ForEach(func(column, value gjson.Result) bool {
			return yield(column.String(), value.String())
		})
	}
}

func appendTag(b []byte, key, value string) []byte {
	if key == "" || value == "" {
		return b
	}
	b = append(b, `,"resource/tag:`...)
	b = append(b, key...)
	b = append(b, '"', ':')
	return appendQuoted(b, value)
}

func appendQuoted(b []byte, s string) []byte { return quoteTail(append(b, s...), len(b)) }

// quoteTail makes a JSON string of what begins at the offset. Nearly nothing
// needs an escape, so that it is written where it belongs and only then looked
// at.
func quoteTail(b []byte, at int) []byte {
	for _, c := range b[at:] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(string(b[at:])) // a string always marshals
			return append(b[:at], quoted...)
		}
	}
	b = append(b, '"', '"')
	copy(b[at+1:], b[at:len(b)-2])
	b[at] = '"'
	return b
}
