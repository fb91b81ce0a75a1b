package litellm

import (
	"maps"
	"math/rand/v2"
	"strings"
)

// keys are the proxy's keys; testdata/hooks.py knows whose they are.
var keys = []string{"sk-search-ana", "sk-search-bo", "sk-ads-cy", "sk-nobody-dee", "sk-ml-eva"}

// ask is a request to LiteLLM.
type ask struct {
	path   string
	key    string // "" lets the driver choose
	body   map[string]any
	hangUp bool // the client goes away after the first bytes of the answer
}

func newAsk(path, model string, body map[string]any) ask {
	body["model"] = model
	return ask{path: path, body: body}
}

func messages(p plan) []map[string]any {
	return []map[string]any{{"role": "user", "content": p.prompt()}}
}

func chat(model string, p plan) ask {
	return newAsk("/v1/chat/completions", model, map[string]any{"messages": messages(p)})
}

func embed(text string) ask {
	return newAsk("/v1/embeddings", "embed", map[string]any{"input": []string{text}}) // of a single text it caches nothing
}

func response(model string, p plan) ask {
	return newAsk("/v1/responses", model, map[string]any{"input": p.prompt()})
}

func image() ask {
	return newAsk("/v1/images/generations", "draw", map[string]any{"prompt": "a cat", "size": "1024x1024"})
}

// anthropic asks as Anthropic's own clients do.
func anthropic(model string, p plan) ask {
	return newAsk("/v1/messages", model, map[string]any{"max_tokens": 99, "messages": messages(p)})
}

// with is the ask with another field in its body.
func (a ask) with(field string, value any) ask {
	a.body = maps.Clone(a.body)
	a.body[field] = value
	return a
}

func (a ask) stream() ask { return a.with("stream", true) }

func (a ask) streamWithUsage() ask {
	return a.stream().with("stream_options", map[string]any{"include_usage": true})
}

func (a ask) by(key string) ask {
	a.key = key
	return a
}

func (a ask) andHangUp() ask {
	a.hangUp = true
	return a
}

var models = []string{"cheap-chat", "smart-chat", "azure-chat", "claude"}

// tokens is a plan of random size.
func tokens(r *rand.Rand) plan { return plan{In: 10 + r.IntN(5000), Out: 1 + r.IntN(900)} }

// mixed is one of each kind of call, with random sizes.
func mixed(r *rand.Rand) []ask {
	var asks []ask
	for _, model := range models {
		asks = append(asks, chat(model, tokens(r)), chat(model, tokens(r)), chat(model, tokens(r)).stream(),
			chat(model, tokens(r)).streamWithUsage())
	}
	cachedIn, reasoned := tokens(r), tokens(r)
	cachedIn.Cached = cachedIn.In / 2
	reasoned.Reasoning = reasoned.Out / 2
	return append(asks,
		chat("cheap-chat", cachedIn), chat("smart-chat", reasoned),
		chat("claude", plan{In: 200, Out: 50, Cached: 1024, CacheWrite: 512}),
		embed(strings.Repeat("x", 1+r.IntN(500))), embed("a short text"),
		response("cheap-chat", cachedIn), response("smart-chat", tokens(r)).stream(),
		image(),
		anthropic("claude", plan{In: 111, Out: 22, Cached: 333, CacheWrite: 44}),
		anthropic("claude", plan{In: 121, Out: 32, Cached: 353, CacheWrite: 64}).stream(),
		anthropic("cheap-chat", tokens(r)),
		chat("house", tokens(r)), chat("gift", tokens(r)),
		chat("own-price", tokens(r)), chat("own-price", tokens(r)).stream(),
		chat("flaky", tokens(r)),
		chat("cheap-chat", tokens(r)).with("user", "end-user-1").
			with("metadata", map[string]any{"tags": []string{"exp-9"}, "team_id": "forged", "user_api_key_team_id": "forged"}),
	)
}

// troubled are calls that do not go as planned.
func troubled(r *rand.Rand) []ask {
	failing := func(status, times int, name string) plan {
		p := tokens(r)
		p.Fail, p.Times, p.Name = status, times, name
		return p
	}
	slow := plan{In: 500, Out: 50, Chunks: 60, Gap: 20_000_000}
	return []ask{
		chat("claude", failing(500, 0, "for ever")),
		chat("smart-chat", failing(400, 0, "a bad request")),
		chat("cheap-chat", failing(429, 1, "a retry")),
		chat("flaky", failing(500, 3, "a fallback")),
		chat("no-such-model", tokens(r)),
		chat("cheap-chat", slow).stream().andHangUp(),
		chat("claude", slow).streamWithUsage().andHangUp(),
		chat("smart-chat", plan{In: 300, Out: 20, Gap: 300_000_000}),
	}
}

// crowd is so many ordinary calls.
func crowd(r *rand.Rand, n int) []ask {
	asks := make([]ask, n)
	for i := range asks {
		switch model := models[r.IntN(len(models))]; r.IntN(5) {
		case 0, 1:
			asks[i] = chat(model, tokens(r))
		case 2:
			asks[i] = chat(model, tokens(r)).stream()
		case 3:
			asks[i] = chat(model, tokens(r)).streamWithUsage()
		default:
			asks[i] = embed(strings.Repeat("y", 1+r.IntN(900)))
		}
	}
	return asks
}
