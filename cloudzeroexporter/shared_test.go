package cloudzeroexporter

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// spent is a request of one cumulative cost point, as LiteLLM sends it.
func spent(start, at time.Time, team string, sum float64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	scope := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName("litellm")
	m := scope.Metrics().AppendEmpty()
	m.SetName("gen_ai.usage.cost")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetSum(sum)
	p.SetCount(1)
	p.Attributes().PutStr("gen_ai.framework", "litellm")
	p.Attributes().PutStr("gen_ai.system", "openai")
	p.Attributes().PutStr("gen_ai.request.model", "gpt-4o")
	p.Attributes().PutStr("metadata.user_api_key_team_id", team)
	return md
}

// both are the two instances that the service makes of one exporter.
type both struct {
	all     *exporters
	traces  exporter.Traces
	metrics exporter.Metrics
}

func (r *rig) makeBoth() both {
	r.t.Helper()
	b := both{all: newExporters()}
	var err error
	b.traces, err = b.all.createTraces(r.t.Context(), r.set, r.cfg)
	require.NoError(r.t, err)
	b.metrics, err = b.all.createMetrics(r.t.Context(), r.set, r.cfg)
	require.NoError(r.t, err)
	require.Len(r.t, b.all.byID, 1, "they share one exporter")
	return b
}

// TestSpansAndMetricsAreOneOrTheOther: both tell of the same calls.
func TestSpansAndMetricsAreOneOrTheOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source          source
		traces, metrics bool // the pipelines that the exporter is in
		want            string
	}{
		"both":                       {"", true, true, "source: the exporter is in a traces and in a metrics pipeline"},
		"metrics, but only traces":   {sourceMetrics, true, false, "source: is metrics, but the exporter is in no metrics pipeline"},
		"traces, but only metrics":   {sourceTraces, false, true, "source: is traces, but the exporter is in no traces pipeline"},
		"both, and one is named":     {sourceMetrics, true, true, ""},
		"both, and the other is too": {sourceTraces, true, true, ""},
		"traces":                     {"", true, false, ""},
		"metrics":                    {"", false, true, ""},
		"metrics, named":             {sourceMetrics, false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.cfg.Source = c.source
			all := newExporters()
			var instances []component.Component
			if c.traces {
				e, err := all.createTraces(t.Context(), r.set, r.cfg)
				require.NoError(t, err)
				instances = append(instances, e)
			}
			if c.metrics {
				e, err := all.createMetrics(t.Context(), r.set, r.cfg)
				require.NoError(t, err)
				instances = append(instances, e)
			}
			for _, i := range instances { // the service stops at the first error, but no order is promised
				err := i.Start(t.Context(), r.host)
				if c.want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.want)
				}
			}
			for _, i := range instances {
				require.NoError(t, i.Shutdown(t.Context()))
				require.NoError(t, i.Shutdown(t.Context()))
			}
			assert.Empty(t, all.byID, "a reload gets another one")
		})
	}
}

// TestTheSourceIsBilledAndTheOtherIgnored, whichever stops first.
func TestTheSourceIsBilledAndTheOtherIgnored(t *testing.T) {
	t.Parallel()
	for _, billed := range []source{sourceTraces, sourceMetrics} {
		for _, firstDown := range []source{sourceTraces, sourceMetrics} {
			t.Run(string(billed)+", "+string(firstDown)+" stops first", func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, r *rig) {
					r.cfg.Source = billed
					b := r.makeBoth()
					require.NoError(t, b.traces.Start(t.Context(), r.host))
					require.NoError(t, b.metrics.Start(t.Context(), r.host))
					sum := 0.0
					told := func(toTraces, toMetrics bool) {
						sum++
						if toTraces {
							spend(t, b.traces, noon, "a"+strconv.Itoa(int(sum)), "1")
						}
						if toMetrics {
							require.NoError(t, b.metrics.ConsumeMetrics(t.Context(), spent(noon, noon.Add(time.Duration(sum)), "a", sum)))
						}
					}
					told(true, true)
					if firstDown == sourceTraces {
						require.NoError(t, b.traces.Shutdown(t.Context()))
					} else {
						require.NoError(t, b.metrics.Shutdown(t.Context()))
					}
					told(firstDown != sourceTraces, firstDown != sourceMetrics) // the other still works
					want := "2"
					if billed == firstDown {
						want = "1"
					}
					pass(3 * time.Hour)
					assert.Equal(t, map[string]string{"11-24T12": want}, r.costs())
					ignored := map[source]string{sourceTraces: "points", sourceMetrics: "spans"}[billed]
					assert.Positive(t, r.outcomes(ignored)["ignored"])
					assert.Len(t, r.outcomes(ignored), 1)
					require.NoError(t, b.traces.Shutdown(t.Context()))
					require.NoError(t, b.metrics.Shutdown(t.Context()))
				})
			})
		}
	}
}

// TestAReloadOpensTheBooksAgain: all instances go, others come.
func TestAReloadOpensTheBooksAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		factory := NewFactory()
		for i := range 3 {
			cfg := *r.cfg
			e, err := factory.CreateMetrics(t.Context(), r.set, &cfg)
			require.NoError(t, err)
			require.NoError(t, e.Start(t.Context(), r.host))
			require.NoError(t, e.ConsumeMetrics(t.Context(), spent(noon, noon.Add(time.Duration(i+1)), "a", float64(i+1))))
			require.NoError(t, e.Shutdown(t.Context()))
		}
		r.startMetrics()
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "3"}, r.costs())
	})
}

// TestAStartThatFailsLeavesNothingBehind: the service shuts down instances that
// it did not start, too.
func TestAStartThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Source = sourceTraces
	r.host.extensions[diskID] = &brokenExtension{}
	b := r.makeBoth()
	require.ErrorContains(t, b.traces.Start(t.Context(), r.host), "the disk is gone")
	require.ErrorContains(t, b.metrics.Start(t.Context(), r.host), "the disk is gone")
	require.NoError(t, b.metrics.Shutdown(t.Context()))
	require.NoError(t, b.traces.Shutdown(t.Context()))
	assert.Empty(t, b.all.byID)
}

// TestAnInstanceThatWasNotStartedDoesNotCloseTheBooks that another one uses.
func TestAnInstanceThatWasNotStartedDoesNotCloseTheBooks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Source = sourceTraces
		b := r.makeBoth()
		require.NoError(t, b.traces.Start(t.Context(), r.host))
		require.NoError(t, b.metrics.Shutdown(t.Context()))
		spend(t, b.traces, noon, "a", "1")
		require.NoError(t, b.traces.Shutdown(t.Context()))
		assert.Empty(t, b.all.byID)
	})
}

// TestTheStatusIsThatOfBothInstances: each signal has a status of its own.
func TestTheStatusIsThatOfBothInstances(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		disk := &failingDisk{memory: r.disk}
		r.host.extensions[diskID] = disk
		r.cfg.Source = sourceTraces
		b := r.makeBoth()
		other := &rigHost{extensions: r.host.extensions}
		require.NoError(t, b.traces.Start(t.Context(), r.host))
		disk.fail.Store(true)
		td := ptrace.NewTraces()
		addCall(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans(), noon, "a", "gpt-4o", "1")
		require.Error(t, b.traces.ConsumeTraces(t.Context(), td))
		require.NoError(t, b.metrics.Start(t.Context(), other))
		disk.fail.Store(false)
		require.NoError(t, b.traces.ConsumeTraces(t.Context(), td))
		want := []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}
		assert.Equal(t, want, r.host.statuses)
		assert.Equal(t, want, other.statuses, "it learns how things are when it starts")
		require.NoError(t, b.metrics.Shutdown(t.Context()))
		require.NoError(t, b.traces.Shutdown(t.Context()))
	})
}
