package cloudzeroexporter

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// These benchmarks are of the exporter as a whole, with the books in memory.
// cmd/bench has those with file_storage and those of the whole collector.

// dialects are the captures whose spans are sent.
var dialects = []struct{ name, capture string }{{"v2", "1.106.2-v2"}, {"v1", "1.106.2-v1-request-span"}}

// benchSpans is the number of spans of a request: as many as the goals of the whole
// collector have. They fit into the processor's second cache, as what a receiver
// has just decoded does.
const benchSpans = 100

// BenchmarkConsume sends requests through OTLP decoding, through an exporter that
// does nothing, and through this one.
func BenchmarkConsume(b *testing.B) {
	for _, d := range dialects {
		calls := batchOf(b, d.capture, captures.BatchConfig{Spans: benchSpans})
		b.Run(d.name+"/decode", func(b *testing.B) {
			encoded, err := ptraceotlp.NewExportRequestFromTraces(calls.Traces).MarshalProto()
			require.NoError(b, err)
			perSpan(b, calls, func(ptrace.Traces) error { return ptraceotlp.NewExportRequest().UnmarshalProto(encoded) })
		})
		b.Run(d.name+"/nop", func(b *testing.B) {
			nop, err := exportertest.NewNopFactory().CreateTraces(b.Context(), exportertest.NewNopSettings(exportertest.NopType), nil)
			require.NoError(b, err)
			perSpan(b, calls, func(td ptrace.Traces) error { return nop.ConsumeTraces(b.Context(), td) })
		})
		b.Run(d.name+"/new calls", func(b *testing.B) { benchmarkNew(b, calls) })
		b.Run(d.name+"/known calls", func(b *testing.B) {
			e := startBench(b)
			perSpan(b, calls, func(td ptrace.Traces) error { return e.ConsumeTraces(b.Context(), td) })
		})
		b.Run(d.name+"/mixed, 90 % no calls", func(b *testing.B) {
			benchmarkNew(b, batchOf(b, d.capture, captures.BatchConfig{Spans: benchSpans, Others: 0.9}))
		})
		b.Run(d.name+"/no calls", func(b *testing.B) {
			benchmarkNew(b, batchOf(b, d.capture, captures.BatchConfig{Spans: benchSpans, Others: 1}))
		})
	}
}

// BenchmarkRows sends calls of more and more users, each of which has rows of
// its own.
func BenchmarkRows(b *testing.B) {
	for _, d := range dialects {
		for _, users := range []int{1, 100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/users=%d", d.name, users), func(b *testing.B) {
				benchmarkNew(b, batchOf(b, d.capture, captures.BatchConfig{Spans: benchSpans, Users: users}))
			})
		}
	}
}

// BenchmarkPastHours sends calls of one hour to books that have more and more
// other hours.
func BenchmarkPastHours(b *testing.B) {
	for _, d := range dialects {
		for _, hours := range []int{0, 80, 800} {
			b.Run(fmt.Sprintf("%s/hours=%d", d.name, hours), func(b *testing.B) {
				e := startBench(b)
				var counter atomic.Uint64
				batch := batchOf(b, d.capture, captures.BatchConfig{Spans: benchSpans, Users: 100})
				last := time.Now().UTC().Truncate(time.Hour).Add(-time.Hour)
				for past := hours; past >= 0; past-- {
					batch.Begin(last.Add(-time.Duration(past) * time.Hour))
					batch.Renew(&counter)
					require.NoError(b, e.ConsumeTraces(b.Context(), batch.Traces))
				}
				measureNew(b, e, batch, &counter)
			})
		}
	}
}

// BenchmarkSenders sends requests of 100 spans from more and more senders at
// once. Its times are those of the clock on the wall.
func BenchmarkSenders(b *testing.B) {
	for _, d := range dialects {
		for _, senders := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/senders=%d", d.name, senders), func(b *testing.B) { benchmarkSenders(b, d.capture, senders, 100) })
		}
	}
}

// BenchmarkTrickle sends requests of one span, as a LiteLLM without a batch
// processor does, from many senders.
func BenchmarkTrickle(b *testing.B) {
	for _, d := range dialects {
		b.Run(d.name, func(b *testing.B) { benchmarkSenders(b, d.capture, 64, 1) })
	}
}

// benchmarkNew sends calls that were never sent before, [captures.HourlyCalls] of an hour.
func benchmarkNew(b *testing.B, batch *captures.Batch) {
	b.Helper()
	measure(b, startBench(b), batch, new(atomic.Uint64), func(sent int) { batch.Begin(captures.HourOf(int64(sent))) })
}

func measureNew(b *testing.B, e exporter.Traces, batch *captures.Batch, counter *atomic.Uint64) {
	b.Helper()
	measure(b, e, batch, counter, func(int) {})
}

// measure sends new calls; before is told how many were sent. Making calls new is
// no part of the time, which is read from the clock: to stop the benchmark's own
// timer takes as long as such a request.
func measure(b *testing.B, e exporter.Traces, batch *captures.Batch, counter *atomic.Uint64, before func(sent int)) {
	b.Helper()
	sent := 0
	var took time.Duration
	perSpan(b, batch, func(td ptrace.Traces) error {
		before(sent)
		batch.Renew(counter)
		sent += td.SpanCount()
		begin := time.Now()
		err := e.ConsumeTraces(b.Context(), td)
		took += time.Since(begin)
		return err
	})
	b.ReportMetric(float64(took.Nanoseconds())/float64(sent), "ns/span")
}

func benchmarkSenders(b *testing.B, capture string, senders, spans int) {
	b.Helper()
	e := startBench(b)
	batches := make([]*captures.Batch, senders)
	for i := range batches {
		batches[i] = batchOf(b, capture, captures.BatchConfig{Spans: spans})
	}
	var counter, sent atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	var clients sync.WaitGroup
	for _, batch := range batches {
		clients.Go(func() {
			for sent.Add(1) <= uint64(b.N) {
				batch.Renew(&counter)
				if err := e.ConsumeTraces(b.Context(), batch.Traces); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*spans), "ns/span")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// perSpan measures consume, and says what a span of the batch takes.
func perSpan(b *testing.B, batch *captures.Batch, consume func(ptrace.Traces) error) {
	b.Helper()
	spans := float64(batch.Traces.SpanCount())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		if err := consume(batch.Traces); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/spans, "B/span")
}

// startBench starts an exporter whose books are in memory.
func startBench(tb testing.TB) exporter.Traces {
	tb.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.DryRun = true
	e, err := NewFactory().CreateTraces(tb.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(tb, err)
	require.NoError(tb, e.Start(tb.Context(), componenttest.NewNopHost()))
	tb.Cleanup(func() { require.NoError(tb, e.Shutdown(context.Background())) })
	return e
}

func batchOf(tb testing.TB, capture string, cfg captures.BatchConfig) *captures.Batch {
	tb.Helper()
	batch, err := loadCapture(tb, capture).Batch(cfg)
	require.NoError(tb, err)
	var first atomic.Uint64
	batch.Renew(&first) // calls of the last hour instead of the capture's
	return batch
}

// atOnce is how long the fastest of several runs takes.
func atOnce(least time.Duration, run func()) time.Duration {
	begin := time.Now()
	run()
	return min(least, time.Since(begin))
}
