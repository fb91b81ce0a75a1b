package leaks

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// llmRoutes are the ends of the routes of LiteLLM's proxy that call a model and
// whose calls LiteLLM tells of in spans. Before them may be a version, an engine,
// or the folder that the proxy is served under.
// https://docs.litellm.ai/docs/supported_endpoints
var llmRoutes = [...]string{
	"/completions", "/embeddings", "/responses", "/v1/messages",
	"/images/generations", "/images/edits", "/audio/speech", "/audio/transcriptions", "/rerank",
	":generateContent", ":streamGenerateContent",
}

func isLLMRoute(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimSuffix(path, "/")
	for _, end := range llmRoutes {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

// request is what a server span's attributes tell. The names are those of
// OpenTelemetry's conventions, before and since they are stable.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
type request struct {
	route, path, method string
	status              int64
	sampled             bool
}

func requestOf(span ptrace.Span) (r request) {
	for key, value := range span.Attributes().All() {
		switch key {
		case "http.route":
			r.route = value.Str()
		case "url.path", "http.target":
			r.path = value.Str()
		case "http.request.method", "http.method":
			r.method = value.Str()
		case "http.response.status_code", "http.status_code":
			if value.Type() == pcommon.ValueTypeInt {
				r.status = value.Int()
			}
		default:
			r.sampled = r.sampled || isSamplingMark(key, value)
		}
	}
	return r
}

// calledAModel says that the request succeeded at something that costs money.
func (r *request) calledAModel(span ptrace.Span) bool {
	if r.method != "" && r.method != "POST" || span.Status().Code() == ptrace.StatusCodeError {
		return false
	}
	if r.status != 0 && (r.status < 200 || r.status > 299) {
		return false
	}
	return isLLMRoute(r.route) || isLLMRoute(r.path)
}
