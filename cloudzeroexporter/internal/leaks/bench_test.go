package leaks

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// BenchmarkWatch has real captured spans, LiteLLM's calls and all others, read
// with and without a detector beside. The difference is what a detector costs.
// Every trace is new each time, so that the detector soon looks at a part of them.
func BenchmarkWatch(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.92.2-request-span", "1.106.2-v1-default"} {
		capture, err := captures.Load("../../../testdata/captures/" + name)
		require.NoError(b, err)
		all := ptrace.NewTraces()
		for _, td := range capture.Requests {
			td.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		}
		reader := usage.NewReader(usage.Config{Instrumentations: []usage.Instrumentation{usage.LiteLLM}})
		now := time.Now()
		b.Run(name+"/read alone", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				renew(all)
				reader.Read(all, now, func(*usage.Record) {}, nil)
			}
			perSpan(b, all)
		})
		b.Run(name+"/watched", func(b *testing.B) {
			d := New(Options{Logger: zap.NewNop()})
			b.ReportAllocs()
			for b.Loop() {
				renew(all)
				w := d.Watch()
				reader.Read(all, now, w.Call, w.Server)
				w.Done()
			}
			perSpan(b, all)
		})
	}
}

// renew gives every trace another id.
func renew(td ptrace.Traces) {
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				id := span.TraceID()
				binary.LittleEndian.PutUint64(id[:], binary.LittleEndian.Uint64(id[:])*6364136223846793005+1442695040888963407)
				binary.LittleEndian.PutUint64(id[8:], binary.LittleEndian.Uint64(id[8:])*2862933555777941757+3037000493)
				span.SetTraceID(id)
			}
		}
	}
}

func perSpan(b *testing.B, td ptrace.Traces) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(td.SpanCount()), "ns/span")
}
