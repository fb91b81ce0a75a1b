package cloudzeroexporter

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// These are the limits that the gate holds the exporter to. Allocations are
// counted and hardly vary. Times are shares of what OTLP decoding of the same
// spans takes in the same process, the best of several attempts, so that a slow
// or busy machine changes both; they leave room of about a half on top of what
// was measured. docs/benchmarks.md has the measured values.
const (
	guardSpans    = 1000 // of a request
	guardAttempts = 30

	maxAllocationsKnown  = 0.02 // a known call
	maxAllocationsNew    = 0.04 // a new call, whose identity is remembered
	maxAllocationsOthers = 0.02 // a span that is no call

	maxShareNewV2    = 0.22
	maxShareNewV1    = 0.22
	maxShareOthers   = 0.14
	maxShareOfRepeat = 1.00 // a known call against a new one
)

// TestGuard fails when the exporter has become slower, or allocates more.
func TestGuard(t *testing.T) { //nolint:paralleltest // other tests would be measured too
	if raced {
		t.Skip("the race detector allocates and slows down")
	}
	for name, limits := range map[string]struct {
		capture  string
		shareNew float64
	}{
		"v2": {dialects[0].capture, maxShareNewV2},
		"v1": {dialects[1].capture, maxShareNewV1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := batchOf(t, limits.capture, captures.BatchConfig{Spans: guardSpans})
			others := batchOf(t, limits.capture, captures.BatchConfig{Spans: guardSpans, Others: 1})
			e := startBench(t)
			var counter atomic.Uint64
			consume := func(b *captures.Batch) func() {
				return func() { require.NoError(t, e.ConsumeTraces(t.Context(), b.Traces)) }
			}
			renewed := func() { calls.Renew(&counter); consume(calls)() }

			for what, c := range map[string]struct {
				run func()
				max float64
			}{
				"known call": {consume(calls), maxAllocationsKnown},
				"new call":   {renewed, maxAllocationsNew},
				"other span": {consume(others), maxAllocationsOthers},
			} {
				got := testing.AllocsPerRun(20, c.run) / guardSpans
				t.Logf("%.4f allocations a %s", got, what)
				assert.LessOrEqual(t, got, c.max, "allocations a %s", what)
			}

			decode, fresh, known := timesOf(t, calls, &counter, consume(calls))
			decodeOthers, other, _ := timesOf(t, others, &counter, consume(others))
			for what, c := range map[string]struct {
				share, max float64
			}{
				"new calls against decoding":   {fresh / decode, limits.shareNew},
				"known calls against new ones": {known / fresh, maxShareOfRepeat},
				"other spans against decoding": {other / decodeOthers, maxShareOthers},
			} {
				t.Logf("%s: %.3f", what, c.share)
				assert.LessOrEqual(t, c.share, c.max, what)
			}
		})
	}
}

// TestAKnownCallAllocatesNothing: what a request allocates is exporterhelper's.
func TestAKnownCallAllocatesNothing(t *testing.T) { //nolint:paralleltest // other tests would be counted too
	if raced {
		t.Skip("the race detector allocates")
	}
	for _, d := range dialects {
		cfg := createDefaultConfig().(*Config)
		cfg.DryRun = true
		e, err := newExporter(exportertest.NewNopSettings(metadata.Type), cfg)
		require.NoError(t, err)
		e.source = sourceTraces
		require.NoError(t, e.start(t.Context(), componenttest.NewNopHost()))
		calls := batchOf(t, d.capture, captures.BatchConfig{Spans: benchSpans})
		ctx := t.Context()
		assert.Zero(t, testing.AllocsPerRun(200, func() { require.NoError(t, e.pushTraces(ctx, calls.Traces)) }), d.name)
		require.NoError(t, e.shutdown(context.Background()))
	}
}

// timesOf are the best times of several attempts, in turn: of decoding a batch,
// of consuming its calls when they are new, and when they are known.
func timesOf(t *testing.T, b *captures.Batch, counter *atomic.Uint64, consume func()) (decode, fresh, known float64) {
	t.Helper()
	encoded, err := ptraceotlp.NewExportRequestFromTraces(b.Traces).MarshalProto()
	require.NoError(t, err)
	d, f, k := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range guardAttempts {
		d = atOnce(d, func() { require.NoError(t, ptraceotlp.NewExportRequest().UnmarshalProto(encoded)) })
		b.Renew(counter)
		f = atOnce(f, consume)
		k = atOnce(k, consume)
	}
	return float64(d), float64(f), float64(k)
}
