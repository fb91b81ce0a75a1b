package leaks

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestLLMRoutes(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/v1/chat/completions", "/chat/completions", "/v1/completions", "/engines/{model}/chat/completions",
		"/openai/deployments/{model}/chat/completions", "/openai/deployments/gpt-4o/chat/completions?api-version=2024-02-01",
		"/v1/embeddings", "/v1/responses", "/openai/v1/responses", "/v1/messages", "/anthropic/v1/messages", "/v1/images/generations",
		"/v1/images/edits", "/v1/audio/speech", "/audio/transcriptions", "/v2/rerank", "/litellm/v1/chat/completions", "/v1/embeddings/",
		"/v1beta/models/{model}:generateContent", "/models/gemini-2.5-pro:streamGenerateContent",
	} {
		assert.True(t, isLLMRoute(path), path)
	}
	for _, path := range []string{
		"", "/", "/health/liveliness", "/v1/models", "/v1/threads/{thread_id}/messages", "/v1/messages/count_tokens", "/key/generate",
		"/v1/files", "/v1/responses/{response_id}", "/spend/logs", "/metrics", "/v1/chat/completions/x",
	} {
		assert.False(t, isLLMRoute(path), path)
	}
}

func TestOnlySuccessfulRequestsToLLMRoutesAreExpectedToCallAModel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attributes map[string]any
		status     ptrace.StatusCode
		want       bool
	}{
		"captured":              {attributes: map[string]any{"http.route": "/v1/embeddings", "url.path": "/v1/embeddings", "http.request.method": "POST", "http.response.status_code": 200}, want: true},
		"older conventions":     {attributes: map[string]any{"http.target": "/chat/completions?x=1", "http.method": "POST", "http.status_code": 200}, want: true},
		"no status is success":  {attributes: map[string]any{"http.route": "/v1/messages"}, want: true},
		"folder, route without": {attributes: map[string]any{"http.route": "/{path:path}", "url.path": "/v1/responses"}, want: true},
		"another method":        {attributes: map[string]any{"http.route": "/v1/chat/completions", "http.request.method": "OPTIONS"}},
		"refused":               {attributes: map[string]any{"http.route": "/v1/chat/completions", "http.response.status_code": 400}},
		"failed":                {attributes: map[string]any{"http.route": "/v1/chat/completions", "http.response.status_code": 500}},
		"a client hangs up":     {attributes: map[string]any{"http.route": "/v1/chat/completions", "http.response.status_code": 200}, status: ptrace.StatusCodeError},
		"another route":         {attributes: map[string]any{"http.route": "/v1/models", "http.response.status_code": 200}},
		"nothing":               {},
	} {
		span := ptrace.NewSpan()
		require.NoError(t, span.Attributes().FromRaw(c.attributes))
		span.Status().SetCode(c.status)
		r := requestOf(span)
		assert.Equal(t, c.want, r.calledAModel(span), name)
	}
}
