package usage

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// hiddenParams is what LiteLLM's first dialect hides in a JSON text.
type hiddenParams struct {
	cost price
	// cacheKey: the response cache answered, and said so.
	cacheKey bool
	// fromProvider: headers of the provider came with the answer.
	fromProvider bool
	// modelName is the deployment's, in releases before mid 2026.
	modelName string
	// apiBase is the URL that was called.
	apiBase string
}

// parseHidden reads the text in one pass. It takes what it can from a text
// that was cut off, as limits on attribute lengths do.
func parseHidden(text string) (h hiddenParams) {
	gjson.Parse(text).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "response_cost":
			h.cost = priceOfJSON(value)
		case "cache_key":
			h.cacheKey = value.Type == gjson.String && value.Str != "" || value.Type == gjson.Number || value.Type == gjson.True
		case "litellm_model_name":
			h.modelName = value.Str
		case "api_base":
			h.apiBase = value.Str
		case "additional_headers":
			h.fromProvider = value.IsObject() && len(strings.TrimSpace(value.Raw)) > len("{}")
		}
		return true
	})
	return h
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

// countInRepr finds the count that follows the key in a text that Python
// printed: {'cached_tokens': 12, …}. It is no JSON.
func countInRepr(text string, keys ...string) uint64 {
	for _, key := range keys {
		_, rest, found := strings.Cut(text, key)
		if !found {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		var n uint64
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' && n <= billing.MaxTokens {
			n = n*10 + uint64(rest[digits]-'0')
			digits++
		}
		if digits > 0 && n <= billing.MaxTokens {
			return n
		}
	}
	return 0
}
