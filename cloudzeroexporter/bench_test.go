package cloudzeroexporter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// BenchmarkConsume sends batches of real captured calls: through OTLP decoding,
// through an exporter that does nothing, and through this one, with new calls
// each time and with calls that it knows. The storage is memory; a file adds its
// own, see docs/format.md.
func BenchmarkConsume(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.92.2-request-span"} {
		batch := callsOf(b, name, 1000)
		encoded, err := ptraceotlp.NewExportRequestFromTraces(batch).MarshalProto()
		require.NoError(b, err)
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request := ptraceotlp.NewExportRequest()
				require.NoError(b, request.UnmarshalProto(encoded))
			}
			perSpan(b, batch)
		})
		b.Run(name+"/nop", func(b *testing.B) {
			nop, err := exportertest.NewNopFactory().CreateTraces(b.Context(), exportertest.NewNopSettings(exportertest.NopType), nil)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, nop.ConsumeTraces(b.Context(), batch))
			}
			perSpan(b, batch)
		})
		b.Run(name+"/cloudzero, new calls", func(b *testing.B) { benchmarkConsume(b, batch, true) })
		b.Run(name+"/cloudzero, known calls", func(b *testing.B) { benchmarkConsume(b, batch, false) })
	}
}

func benchmarkConsume(b *testing.B, batch ptrace.Traces, fresh bool) {
	cfg := createDefaultConfig().(*Config)
	cfg.DryRun, cfg.Retention = true, 100*365*24*cfg.Export.Interval
	e, err := NewFactory().CreateTraces(b.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(b, err)
	require.NoError(b, e.Start(b.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(b, e.Shutdown(context.Background())) }()
	b.ReportAllocs()
	for b.Loop() {
		if fresh {
			renew(batch)
		}
		require.NoError(b, e.ConsumeTraces(b.Context(), batch))
	}
	perSpan(b, batch)
}

func perSpan(b *testing.B, batch ptrace.Traces) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.SpanCount()), "ns/span")
}

// callsOf is a batch of so many different calls of a capture.
func callsOf(b *testing.B, name string, n int) ptrace.Traces {
	b.Helper()
	capture := loadCapture(b, name)
	batch := ptrace.NewTraces()
	to := batch.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for to.Len() < n {
		for _, td := range capture.Requests {
			for _, resource := range td.ResourceSpans().All() {
				for _, scope := range resource.ScopeSpans().All() {
					for _, span := range scope.Spans().All() {
						_, first := span.Attributes().Get("hidden_params")
						_, second := span.Attributes().Get("gen_ai.operation.name")
						if (first || second) && to.Len() < n {
							span.CopyTo(to.AppendEmpty())
						}
					}
				}
			}
		}
	}
	renew(batch)
	return batch
}

var renewed uint64

// renew makes the calls of a batch others than they were.
func renew(batch ptrace.Traces) {
	for _, span := range batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		renewed++
		id := span.SpanID()
		for i := range id {
			id[i] = byte(renewed >> (8 * i))
		}
		span.SetSpanID(id)
		span.SetStartTimestamp(span.StartTimestamp() + 1)
		span.SetEndTimestamp(pcommon.Timestamp(uint64(span.StartTimestamp()) + renewed))
	}
}
