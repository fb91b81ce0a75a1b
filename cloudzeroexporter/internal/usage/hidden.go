package usage

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// hiddenParams is what LiteLLM's first dialect hides in a JSON text.
type hiddenParams struct {
	cost price
	// costZero: the cost is there, and is 0.
	costZero bool
	// cacheKey: the response cache answered, and said so.
	cacheKey bool
	// fromProvider: headers of the provider came with the answer.
	fromProvider bool
	// modelName is the deployment's, in releases before mid 2026.
	modelName string
	// apiBase is the URL that was called.
	apiBase string
}

// hiddenWants says what else than the marks of a repetition is wanted of the text: most
// calls say elsewhere what they cost and whose model they used.
type hiddenWants struct{ cost, provider bool }

// parseHidden reads the text in one pass, and no further than it must. It takes
// what it can from a text that was cut off, as limits on attribute lengths do.
func parseHidden(text string, want hiddenWants) (h hiddenParams) {
	const (
		cacheKey = 1 << iota
		headers
		cost
		modelName
		apiBase
	)
	missing := cacheKey | headers | cost
	if want.provider {
		missing |= modelName | apiBase
	}
	for m := membersOf(text); missing != 0; {
		key, value, found := m.next()
		if !found {
			break
		}
		switch key {
		case "cache_key":
			h.cacheKey = isSomething(value)
			missing &^= cacheKey
		case "additional_headers":
			h.fromProvider = hasMembers(value)
			missing &^= headers
		case "response_cost":
			if valueEnd(value) == len(value) {
				return h // it was cut off: the beginning of a price is not the price
			}
			if h.costZero = isZeroJSON(value); want.cost {
				h.cost = priceOfJSON(gjson.Parse(value))
			}
			missing &^= cost
		case "litellm_model_name":
			if want.provider {
				h.modelName = gjson.Parse(value).Str
				missing &^= modelName
			}
		case "api_base":
			if want.provider {
				h.apiBase = gjson.Parse(value).Str
				missing &^= apiBase
			}
		}
	}
	return h
}

// isSomething says that the value is a text that is not empty, a number, or true.
func isSomething(value string) bool {
	if strings.HasPrefix(value, "null") {
		return false // nearly always
	}
	v := gjson.Parse(value)
	return v.Type == gjson.String && v.Str != "" || v.Type == gjson.Number || v.Type == gjson.True
}

// isZeroJSON says that the value is a number, or a text with one, that is 0.
func isZeroJSON(value string) bool {
	zero := false
	for _, c := range strings.TrimPrefix(value, `"`) {
		switch {
		case c == '0':
			zero = true
		case c >= '1' && c <= '9':
			return false
		case c != '.' && c != '-':
			return zero // its end, or an exponent
		}
	}
	return zero
}

// hasMembers says that the value is an object with something in it.
func hasMembers(value string) bool {
	inside, object := strings.CutPrefix(value, "{")
	inside = trimSpace(inside)
	return object && inside != "" && inside[0] != '}'
}

func priceOfJSON(v gjson.Result) price {
	text := v.Raw
	switch v.Type {
	case gjson.Null:
		return price{}
	case gjson.String:
		if text = strings.TrimSpace(v.Str); text == "" || text == "None" {
			return price{}
		}
	case gjson.Number:
	default:
		return price{present: true, err: billing.ErrNotAmount}
	}
	a, err := believed(billing.ParseAmount(text))
	return price{a, true, err}
}

// cacheCounts are the tokens that a provider's cache read and wrote.
type cacheCounts struct{ read, write uint64 }

// cacheCountsIn finds the counts in a text that Python printed:
// {'prompt_tokens_details': {'cached_tokens': 12, …}, …}. It is no JSON. The
// names that say more win over the others.
func cacheCountsIn(text string) cacheCounts {
	var named, other cacheCounts
	for {
		// Of the letters of 'cache, h is the one that hardly any other name has.
		h := strings.IndexByte(text, 'h')
		if h < 0 {
			break
		}
		before, rest := text[:h], text[h+1:]
		text = rest
		if !strings.HasSuffix(before, "'cac") {
			continue
		}
		keepCount(&other.read, rest, "ed_tokens':")
		keepCount(&named.read, rest, "e_read_input_tokens':")
		keepCount(&named.write, rest, "e_creation_input_tokens':")
		keepCount(&other.write, rest, "e_creation_tokens':")
	}
	return cacheCounts{cmp.Or(named.read, other.read), cmp.Or(named.write, other.write)}
}

// keepCount takes the count behind a name that the text begins with, unless one is
// known.
func keepCount(count *uint64, text, name string) {
	if value, found := strings.CutPrefix(text, name); found && *count == 0 {
		*count = leadingCount(value)
	}
}

// leadingCount reads the count that a text begins with, or 0.
func leadingCount(text string) uint64 {
	text = strings.TrimLeft(text, " ")
	var n uint64
	for i := 0; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		if n = n*10 + uint64(text[i]-'0'); n > billing.MaxTokens {
			return 0
		}
	}
	return n
}
