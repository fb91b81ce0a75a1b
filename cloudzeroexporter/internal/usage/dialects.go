package usage

import "go.opentelemetry.io/collector/pdata/ptrace"

// Spans of agents, chains, tools and workflows repeat the usage of the calls
// below them, so each dialect names the kinds of spans that are calls.

func (c *collector) isGenAI() bool {
	switch c.text(fieldOperation) {
	case "chat", "text_completion", "generate_content", "embeddings", "embedding", "image", "audio":
		return true
	default:
		return false
	}
}

func (c *collector) isOpenLLMetry() bool {
	switch c.text(fieldRequestType) {
	case "chat", "completion", "embedding", "rerank":
		return true
	default:
		return false
	}
}

func (c *collector) isOpenInference() bool {
	kind := c.text(fieldKind)
	return kind == "LLM" || kind == "EMBEDDING"
}

// genAI reads OpenTelemetry's conventions, and OpenLLMetry's and OpenLIT's,
// which differ from them in names only.
func (c *collector) genAI(r *Record, span ptrace.Span, failed bool) {
	p := c.price()
	r.Outcome = p.outcome(failed)
	r.Tokens = c.tokens()
	r.Provider = liteLLMName(c.firstText(fieldProviderName, fieldSystem))
	r.Model = c.firstText(fieldRequestModel, fieldResponseModel)
	r.settle(p)
	r.Call = callOf(span, r, p)
}

func (c *collector) openInference(r *Record, span ptrace.Span, failed bool) {
	p := c.price()
	r.Outcome = p.outcome(failed)
	r.Tokens.Input, _ = c.count(fieldInferencePrompt)
	r.Tokens.Output, _ = c.count(fieldInferenceCompletion)
	r.Tokens.CacheRead, _ = c.count(fieldInferenceRead)
	r.Tokens.CacheWrite, _ = c.count(fieldInferenceWrite)
	r.Provider = c.firstText(fieldInferenceProvider, fieldSystem)
	r.Model = c.firstText(fieldInferenceModel, fieldRequestModel)
	r.settle(p)
	r.Call = callOf(span, r, p)
}
