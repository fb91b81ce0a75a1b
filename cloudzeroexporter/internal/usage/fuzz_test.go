package usage

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

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
}

// FuzzMembers compares with gjson what is found in a valid text, and wants no
// more of a broken one than that it ends.
func FuzzMembers(f *testing.F) {
	f.Add(`{"a": 1, "b\\": {"c": [1, "}"], "\"": null}, "d": "e\"f", "g": []}`)
	f.Add(`{"a": "b", "c": {"d": "e`)
	f.Add(` { } `)
	f.Fuzz(func(t *testing.T, text string) {
		var got, want [][2]string
		for m := membersOf(text); ; {
			key, value, found := m.next()
			if !found {
				break
			}
			got = append(got, [2]string{key, strings.TrimRight(value[:valueEnd(value)], " \t\r\n")})
		}
		if !gjson.Valid(text) || !gjson.Parse(text).IsObject() {
			return
		}
		gjson.Parse(text).ForEach(func(key, value gjson.Result) bool {
			want = append(want, [2]string{key.Raw[1 : len(key.Raw)-1], value.Raw})
			return true
		})
		require.Equal(t, want, got)
	})
}

// BenchmarkRead reads real captured spans: all of a request's, only the calls,
// and only the others. The floor is one pass over the attributes.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.106.2-v1-request-span", "1.92.2-request-span"} {
		all := spansOf(b, name, func(ptrace.Span) bool { return true })
		for what, keep := range map[string]func(ptrace.Span) bool{
			"all":    func(ptrace.Span) bool { return true },
			"calls":  isCall,
			"others": func(s ptrace.Span) bool { return !isCall(s) },
		} {
			td := spansOf(b, name, keep)
			b.Run(name+"/"+what, func(b *testing.B) {
				reader := NewReader(Config{Instrumentations: []Instrumentation{LiteLLM}})
				b.ReportAllocs()
				for b.Loop() {
					reader.Read(td, arrived, func(*Record) {}, nil)
				}
				perSpan(b, td)
			})
		}
		b.Run(name+"/floor", func(b *testing.B) {
			bytes := 0
			for b.Loop() {
				for _, span := range all.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
					for key := range span.Attributes().All() {
						bytes += len(key)
					}
				}
			}
			perSpan(b, all)
		})
	}
}

func perSpan(b *testing.B, td ptrace.Traces) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(td.SpanCount()), "ns/span")
}

func isCall(span ptrace.Span) bool {
	_, first := span.Attributes().Get("hidden_params")
	_, second := span.Attributes().Get("gen_ai.operation.name")
	return first || second
}

// spansOf is a capture's spans that are to be kept, in one request.
func spansOf(b *testing.B, name string, keep func(ptrace.Span) bool) ptrace.Traces {
	b.Helper()
	one := ptrace.NewTraces()
	to := one.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for _, td := range loadCapture(b, name).Requests {
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if keep(span) {
						span.CopyTo(to.AppendEmpty())
					}
				}
			}
		}
	}
	return one
}
