package cloudzeroexporter

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap/zapcore"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// TestLiteLLMSetUpWrongIsNoticed replays what real LiteLLMs sent, each request
// when it came, and looks at what the exporter says of it.
func TestLiteLLMSetUpWrongIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(captureNames(t), setUpWrong) {
		want := []string{}
		switch {
		case slices.Contains(setUpWrong, name):
			want = []string{"no_call"}
		case name == withoutCosts:
			want = []string{"unpriced"}
		}
		for way, replay := range map[string]func(*testing.T, consumer.Traces, []ptrace.Traces){
			"as recorded": replayInTime,
			"every request twice": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
				for _, td := range requests {
					replayInTime(t, c, []ptrace.Traces{td, td})
				}
			},
			"backwards": replays["backwards"],
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				capture := loadCapture(t, name)
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					sleepUntil(beforeCaptures)
					e := r.start()
					replay(t, e, capture.Requests)
					pass(75 * time.Second)
					assert.Equal(t, want, r.warnings())
					pass(5 * time.Hour)
					assert.Equal(t, want, r.warnings())
					assert.Equal(t, want, r.leaking())
				})
			})
		}
	}
}

// TestALeakThatIsMendedEnds: the proxy is set up well, and an hour later all is
// well; when it happens again, it is said again.
func TestALeakThatIsMendedEnds(t *testing.T) {
	t.Parallel()
	wrong, well := loadCapture(t, "1.106.2-v1-default"), loadCapture(t, "1.106.2-v1-request-span")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sleepUntil(afterCaptures)
		e := r.start()
		replayInOrder(t, e, wrong.Requests)
		pass(2 * time.Minute)
		for range 3 {
			replayInOrder(t, e, well.Requests)
			pass(10 * time.Minute)
		}
		assert.Equal(t, []string{"no_call"}, r.leaking(), "it may come again")
		pass(time.Hour)
		assert.Empty(t, r.leaking())
		assert.Len(t, r.logs.FilterMessageSnippet("This has not been seen for an hour: ").All(), 1)

		for range 3 {
			replayInOrder(t, e, wrong.Requests)
			pass(10 * time.Minute)
		}
		assert.Equal(t, []string{"no_call", "no_call"}, r.warnings())
	})
}

// TestMoneyThatOnlyMetricsTellOfIsNoticed tells the money that LiteLLM computed as
// its metrics do, beside the spans of each capture.
func TestMoneyThatOnlyMetricsTellOfIsNoticed(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(captureNames(t), setUpWrong) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			capture := loadCapture(t, name)
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				sleepUntil(beforeCaptures)
				e := r.start()
				replayInTime(t, e, capture.Requests)
				for _, line := range capture.Truth {
					cost, err := billing.ParseAmount(line.Cost)
					require.NoError(t, err)
					r.last.leaks.MetricsCost(billing.HourOf(time.Unix(line.HourStart, 0)), cost)
				}
				pass(3 * time.Hour)
				incomplete := slices.Contains(setUpWrong, name) || name == withoutCosts
				assert.Equal(t, incomplete, slices.Contains(r.leaking(), "metrics_differ"))
			})
		})
	}
}

// TestMetricsBesideSpansAreCompared sends what one LiteLLM sent of both.
func TestMetricsBesideSpansAreCompared(t *testing.T) {
	t.Parallel()
	for _, name := range capturesWith(t, "metrics.jsonl.gz", 5) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			capture := loadCapture(t, name)
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.cfg.Source = sourceTraces
				b := r.makeBoth()
				detector := b.all.byID[exporterID{r.set.ID, r.cfg}].exporter
				sleepUntil(beforeCaptures)
				require.NoError(t, b.traces.Start(t.Context(), r.host))
				require.NoError(t, b.metrics.Start(t.Context(), r.host))
				replayInTime(t, b.traces, capture.Requests)
				consumeAll(t, b.metrics.ConsumeMetrics, capture.Metrics)
				pass(3 * time.Hour)
				kinds := []string{}
				for _, w := range detector.leaks.Warnings() {
					kinds = append(kinds, w.Kind.String())
				}
				want := []string{}
				if slices.Contains(setUpWrong, name) {
					want = []string{"no_call", "metrics_differ"}
				}
				assert.ElementsMatch(t, want, kinds)
				require.NoError(t, b.traces.Shutdown(t.Context()))
				require.NoError(t, b.metrics.Shutdown(t.Context()))
			})
		})
	}
}

// TestOtherInstrumentationsNeedNoPrices: most of them tell no cost.
func TestOtherInstrumentationsNeedNoPrices(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, withoutCosts)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Instrumentations = []string{"litellm", "genai"}
		sleepUntil(afterCaptures)
		replayInOrder(t, r.start(), capture.Requests)
		pass(2 * time.Minute)
		assert.Empty(t, r.leaking())
	})
}

// TestAWarningSaysWhatToSet shows a finding everywhere where people look.
func TestAWarningSaysWhatToSet(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, "1.106.2-v1-default")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sleepUntil(beforeCaptures)
		replayInTime(t, r.start(), capture.Requests)
		pass(75 * time.Second)
		const what = "Of the last 93 successful requests to LiteLLM's LLM routes, 91 came without a span of the model call and its cost."
		warnings := r.last.leaks.Warnings()
		require.Len(t, warnings, 1)
		assert.Equal(t, what, warnings[0].What)
		assert.EqualValues(t, 91, warnings[0].Count)
		assert.Contains(t, warnings[0].Advice, "Set LITELLM_OTEL_V2=true")
		assert.Contains(t, warnings[0].Advice, "USE_OTEL_LITELLM_REQUEST_SPAN=true")
		assert.WithinDuration(t, time.Now(), warnings[0].Since, 90*time.Second)

		logged := r.logs.FilterMessageSnippet("came without a span of the model call and its cost. Set ").All()
		require.Len(t, logged, 1)
		assert.Equal(t, zapcore.WarnLevel, logged[0].Level)
		assert.Contains(t, logged[0].Message, "LITELLM_OTEL_V2=true")

		assert.Equal(t, map[string]int64{"no_call": 91, "lost_price": 0, "sampled": 0, "unpriced": 0, "metrics_differ": 0}, r.leakCounts())
		traces, err := r.metrics.GetMetric("otelcol_exporter_cloudzero_request_traces")
		require.NoError(t, err)
		got := map[string]int64{}
		for _, point := range traces.Data.(metricdata.Sum[int64]).DataPoints {
			call, _ := point.Attributes.Value("call")
			got[call.AsString()] = point.Value
		}
		assert.Equal(t, map[string]int64{"found": 1, "missing": 92, "unjudged": 0}, got)
	})
}

// beforeCaptures is a time when no capture had begun.
var beforeCaptures = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// replayInTime sends each request a second after the last of its spans ended.
func replayInTime(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
	for _, td := range requests {
		var end time.Time
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if at := span.EndTimestamp().AsTime(); at.After(end) {
						end = at
					}
				}
			}
		}
		if at := end.Add(time.Second); at.After(time.Now()) {
			sleepUntil(at)
		}
		assert.NoError(t, c.ConsumeTraces(t.Context(), td))
	}
}

// warnings are the kinds of the leaks that were logged.
func (r *rig) warnings() []string {
	kinds := []string{}
	for _, line := range r.logs.FilterMessageSnippet("Money may not arrive. ").All() {
		kinds = append(kinds, line.ContextMap()["kind"].(string))
	}
	return kinds
}

// leakCounts is the gauge of leaks, by kind.
func (r *rig) leakCounts() map[string]int64 {
	r.t.Helper()
	metric, err := r.metrics.GetMetric("otelcol_exporter_cloudzero_leaks")
	require.NoError(r.t, err)
	counts := map[string]int64{}
	for _, point := range metric.Data.(metricdata.Gauge[int64]).DataPoints {
		kind, _ := point.Attributes.Value("kind")
		counts[kind.AsString()] = point.Value
	}
	return counts
}

// leaking are the kinds of leaks that are seen now, in the gauge and as warnings.
func (r *rig) leaking() []string {
	r.t.Helper()
	kinds := []string{}
	for kind, n := range r.leakCounts() {
		if n > 0 {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	shown := []string{}
	for _, w := range r.last.leaks.Warnings() {
		shown = append(shown, w.Kind.String())
	}
	assert.ElementsMatch(r.t, kinds, shown)
	assert.Len(r.t, strings.Fields(strings.Join(shown, " ")), len(slices.Compact(shown)))
	return kinds
}
