package usage

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

const captureRoot = "../../../testdata/captures"

func loadCapture(tb testing.TB, name string) *captures.Capture {
	tb.Helper()
	capture, err := captures.Load(filepath.Join(captureRoot, name))
	require.NoError(tb, err)
	return capture
}

// FuzzRead feeds the reader what no sender should send.
func FuzzRead(f *testing.F) {
	marshaler := ptrace.ProtoMarshaler{}
	for _, name := range []string{"1.106.2-v2", "1.92.2-request-span"} {
		for _, td := range loadCapture(f, name).Requests {
			for _, resource := range td.ResourceSpans().All() {
				for _, scope := range resource.ScopeSpans().All() {
					for i, span := range scope.Spans().All() {
						if i%50 != 0 {
							continue
						}
						one := ptrace.NewTraces()
						span.CopyTo(one.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
						seed, err := marshaler.MarshalTraces(one)
						require.NoError(f, err)
						f.Add(seed)
					}
				}
			}
		}
	}
	for _, a := range []attributes{second, first1} {
		seed, err := marshaler.MarshalTraces(spans(f, a))
		require.NoError(f, err)
		f.Add(seed)
	}
	unmarshaler := ptrace.ProtoUnmarshaler{}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	reader := NewReader(Config{
		Instrumentations: []Instrumentation{LiteLLM, GenAI, OpenLLMetry, OpenInference, OpenLIT}, Attributes: []string{"http.route"},
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := unmarshaler.UnmarshalTraces(data)
		if err != nil {
			t.Skip()
		}
		visited, servers, ids := 0, 0, []uint64{}
		ignored := reader.Read(td, now, func(r *Record) {
			visited++
			ids = append(ids, r.Call, r.Answer)
			check(t, r, now)
		}, func(ptrace.Span) { servers++ })
		require.LessOrEqual(t, servers, ignored)
		require.Equal(t, td.SpanCount(), visited+ignored, "every span has one outcome")
		again := []uint64{}
		reader.Read(td, now, func(r *Record) { again = append(again, r.Call, r.Answer) }, nil)
		require.Equal(t, ids, again, "a call keeps its identity")
	})
}

func check(t *testing.T, r *Record, now time.Time) {
	t.Helper()
	require.Equal(t, r.Outcome == billing.Billed, !r.Cost.IsZero(), "billed means a cost, and nothing else has one")
	require.LessOrEqual(t, r.Tokens.Input, uint64(billing.MaxTokens))
	require.LessOrEqual(t, r.Tokens.Output, uint64(billing.MaxTokens))
	require.LessOrEqual(t, r.Hour, billing.HourOf(now.Add(maxAhead)))
	texts := []string{
		r.Provider, r.Model, r.ModelGroup, r.Team, r.TeamAlias, r.User, r.APIKey, r.APIKeyAlias, r.EndUser, r.Organization, r.Project,
	}
	for _, text := range slices.Concat(texts, r.Attributes) {
		require.True(t, utf8.ValidString(text), "%q", text)
		require.LessOrEqual(t, len(text), maxStringBytes)
	}
}

// BenchmarkRead reads real captured spans. The floor is one pass over their
// attributes with a switch; OTLP decoding takes 8 µs of such a span.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.92.2-request-span"} {
		b.Run(name, func(b *testing.B) {
			capture := loadCapture(b, name)
			reader := NewReader(Config{Instrumentations: []Instrumentation{LiteLLM}})
			calls := 0
			b.ReportAllocs()
			for b.Loop() {
				calls = 0
				for _, td := range capture.Requests {
					reader.Read(td, arrived, func(*Record) { calls++ }, nil)
				}
			}
			perSpan := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(perSpan/float64(capture.SpanCount()), "ns/span")
			b.ReportMetric(perSpan/float64(calls), "ns/call")
		})
	}
}
