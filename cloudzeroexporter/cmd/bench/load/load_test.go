package load

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

const capturesFolder = "../../../../testdata/captures"

// TestStampedRequestsAreOtherCalls decodes what is sent: every place that makes
// a call another one was found and written over, and nothing else was.
func TestStampedRequestsAreOtherCalls(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"1.106.2-v2", "1.106.2-v1-request-span"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded, err := read(filepath.Join(capturesFolder, name))
			require.NoError(t, err)
			cfg := Config{Spans: 200, Others: 0.25, Teams: 3, Users: 2, Models: 5}
			r, err := recorded.request(0, cfg)
			require.NoError(t, err)
			size := len(r.body)
			begin := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
			g := &Generator{cfg: cfg}
			traces, answers, rows := make(map[any]bool), make(map[string]bool), make(map[[3]string]bool)
			calls, answered := 0, 0
			for n := range uint64(3) {
				for i := range r.places {
					number := n*200 + uint64(i)
					r.stamp(i, number, begin, cfg.numbers(g.row(number)))
				}
				require.Len(t, r.body, size)
				decoded := ptraceotlp.NewExportRequest()
				require.NoError(t, decoded.UnmarshalProto(r.body))
				spans := decoded.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
				require.Equal(t, 200, spans.Len())
				for i, span := range spans.All() {
					traces[[2]any{span.TraceID(), span.SpanID()}] = true
					sent := begin.Add(time.Duration(n*200+uint64(i)) * time.Microsecond)
					assert.Equal(t, sent, span.StartTimestamp().AsTime())
					assert.Equal(t, r.places[i].took, span.EndTimestamp().AsTime().Sub(span.StartTimestamp().AsTime()))
					if !r.places[i].isCall {
						continue
					}
					calls++
					if id, ok := span.Attributes().Get("gen_ai.response.id"); ok {
						answered++
						answers[id.Str()] = true
					}
					rows[[3]string{text(span, captures.TeamKeys...), text(span, captures.UserKeys...), text(span, captures.ModelKey)}] = true
				}
			}
			assert.Len(t, traces, 600)
			assert.Equal(t, 450, calls)
			assert.Positive(t, answered)
			assert.Len(t, answers, answered)
			assert.Len(t, rows, 3*2*5)
		})
	}
}

func text(span ptrace.Span, keys ...string) string {
	for _, key := range keys {
		if v, ok := span.Attributes().Get(key); ok {
			return v.Str()
		}
	}
	return ""
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := Config{Spans: 1, Senders: 1, Teams: 1, Users: 1, Models: 1}
	require.NoError(t, good.validate())
	for name, spoil := range map[string]func(*Config){
		"no spans":        func(c *Config) { c.Spans = 0 },
		"only duplicates": func(c *Config) { c.Duplicates = 1 },
		"only others":     func(c *Config) { c.Others = 1 },
		"many users":      func(c *Config) { c.Users = 1_000_001 },
	} {
		bad := good
		spoil(&bad)
		assert.Error(t, bad.validate(), name)
	}
}
