package usage

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Spans of agents, chains, tools and workflows repeat the usage of the calls
// below them, so each dialect names the kinds of spans that are calls.

func (c *collector) isGenAI() bool {
	switch c.operation {
	case "chat", "text_completion", "generate_content", "embeddings", "embedding", "image", "audio":
		return true
	default:
		return false
	}
}

func (c *collector) isOpenLLMetry() bool {
	switch c.requestType {
	case "chat", "completion", "embedding", "rerank":
		return true
	default:
		return false
	}
}

func (c *collector) isOpenInference() bool {
	return c.kind == "LLM" || c.kind == "EMBEDDING"
}

// genAI reads OpenTelemetry's conventions, and OpenLLMetry's and OpenLIT's,
// which differ from them in names only.
func (c *collector) genAI(span ptrace.Span, failed bool) Record {
	p := c.price()
	r := Record{
		Outcome: p.outcome(failed),
		Tokens: billing.Tokens{
			Input:      firstCount(c.input, c.prompt),
			Output:     firstCount(c.output, c.completion),
			CacheRead:  firstCount(c.cacheRead, c.cacheReadOld),
			CacheWrite: firstCount(c.cacheWrite, c.cacheWriteOld),
		},
		Provider:   liteLLMName(first(c.providerName, c.system)),
		Model:      first(c.requestModel, c.responseModel),
		Attributes: c.other,
	}
	r.settle(p)
	r.Call = callOf(span, &r, p)
	return r
}

func (c *collector) openInference(span ptrace.Span, failed bool) Record {
	p := c.price()
	r := Record{
		Outcome: p.outcome(failed),
		Tokens: billing.Tokens{
			Input:      c.inferencePrompt.count(),
			Output:     c.inferenceCompletion.count(),
			CacheRead:  c.inferenceRead.count(),
			CacheWrite: c.inferenceWrite.count(),
		},
		Provider:   first(c.inferenceProvider, c.system),
		Model:      first(c.inferenceModel, c.requestModel),
		Attributes: c.other,
	}
	r.settle(p)
	r.Call = callOf(span, &r, p)
	return r
}
