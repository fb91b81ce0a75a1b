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

// BenchmarkWatch shows a detector what was read from a capture, in one batch: what
// it adds to each model call and to each server span. All other spans it never
// sees. Calm: every trace is looked at. Busy: more are open than there is room
// for, so that few are, as under load.
func BenchmarkWatch(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.106.2-v1-request-span"} {
		calls, servers := read(b, name)
		for _, c := range []struct {
			what string
			n    int
			see  func(*Batch)
		}{
			{"calls", len(calls), func(batch *Batch) {
				for i := range calls {
					batch.Call(&calls[i])
				}
			}},
			{"server spans", len(servers), func(batch *Batch) {
				for _, span := range servers {
					batch.Server(span)
				}
			}},
		} {
			run := func(b *testing.B, between func(*Detector)) {
				d := New(Options{Logger: zap.NewNop()})
				b.ReportAllocs()
				for b.Loop() {
					between(d)
					batch := d.Watch()
					c.see(batch)
					batch.Done()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.n), "ns/span")
			}
			b.Run(name+"/"+c.what+"/calm", func(b *testing.B) {
				run(b, func(d *Detector) { clear(d.traces.open) })
			})
			b.Run(name+"/"+c.what+"/busy", func(b *testing.B) {
				run(b, func(d *Detector) { d.mask.Store(maxMask); d.traces.mask = maxMask })
			})
		}
	}
}

// read reads a capture as the exporter does.
func read(b *testing.B, name string) (calls []usage.Record, servers []ptrace.Span) {
	b.Helper()
	capture, err := captures.Load("../../../testdata/captures/" + name)
	require.NoError(b, err)
	reader := usage.NewReader(usage.Config{Instrumentations: []usage.Instrumentation{usage.LiteLLM}})
	for _, td := range capture.Requests {
		reader.Read(td, time.Now(), func(r *usage.Record) { calls = append(calls, *r) },
			func(span ptrace.Span) { servers = append(servers, span) })
	}
	for i, span := range servers { // no trace twice
		id := span.TraceID()
		binary.LittleEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		span.SetTraceID(id)
	}
	return calls, servers
}
