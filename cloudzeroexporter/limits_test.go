package cloudzeroexporter

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

func TestBadRowsAreHeldAndAllOthersPosted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		denied []anycosttest.Scope
		posted map[string]string
		held   string
	}{
		"with the scope to validate":    {posted: map[string]string{"11-24T10": "8", "11-24T11": "0.3"}, held: "4"},
		"without the scope to validate": {denied: []anycosttest.Scope{anycosttest.Validate}, posted: map[string]string{"11-24T10": "8"}, held: "4.3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				cfg := anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Refuse: "bad-team", Denied: c.denied}
				r.serve(cfg)
				sleepUntil(noon)
				e := r.start()
				spend(t, e, noon.Add(-2*time.Hour), "good", "8")
				spend(t, e, noon.Add(-time.Hour), "good", "0.1", "0.2")
				spend(t, e, noon.Add(-time.Hour), "bad-team", "1", "3")
				pass(3 * time.Hour)
				assert.Equal(t, c.posted, r.costs())
				assert.Equal(t, c.held, r.gaugeText("held_cost"))
				assert.Equal(t, "12.3", r.gaugeText("cost_read"))
				assert.Equal(t, "0", r.gaugeText("cost_waiting"))
				tried := len(r.sent())
				pass(3 * time.Hour)
				assert.Len(t, r.sent(), tried, "not tried again while nothing changes")

				// A restart tries once more, and is none the worse for it.
				require.NoError(t, e.Shutdown(t.Context()))
				e = r.start()
				pass(3 * time.Hour)
				assert.Equal(t, c.held, r.gaugeText("held_cost"))
				assert.Equal(t, c.posted, r.costs())

				// CloudZero changes its mind, and the hour changes.
				table := r.anycost.Rows()
				r.anycost.Allow()
				assert.Equal(t, table, r.anycost.Rows())
				spend(t, e, noon.Add(-time.Hour), "good", "0.05")
				pass(2 * time.Hour)
				assert.Equal(t, map[string]string{"11-24T10": "8", "11-24T11": "4.35"}, r.costs())
				assert.Equal(t, "0", r.gaugeText("held_cost"))
				assert.Empty(t, r.anycost.Violations())
			})
		})
	}
}

// TestACrashAfterARequestLeavesTheDoubt: the old process's request takes effect
// behind the new one's.
func TestACrashAfterARequestLeavesTheDoubt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, EffectAfter: 4 * time.Minute})
		for len(r.sent()) == 0 {
			pass(time.Second)
		}
		// The process is killed: its disk is what the next one gets.
		next := r.afterCrash()
		require.NoError(t, e.Shutdown(t.Context()))
		e = next.start()
		spend(t, e, noon.Add(-2*time.Hour), "b", "0.5")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "1.5"}, r.costs())
	})
}

func TestAMonthIsFoldedIntoItsAllowance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const monthBytes = 1_000_000
		r := newRig(t)
		r.cfg.Limits.MonthBytes = monthBytes
		r.cfg.Rows.SplitBy = []string{"team"}
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, MaxMonthBytes: monthBytes})
		sleepUntil(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
		e := r.start()
		want := make(map[string][]string)
		for range 30 * 24 {
			now := time.Now()
			td := ptrace.NewTraces()
			to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			for i := range 40 { // 16 kB an hour, of 1.4 that there are
				cost := fmt.Sprintf("0.%04d", i+1)
				addCall(to, now.Add(time.Duration(i)), "team-"+strconv.Itoa(i), "gpt-4o", cost)
				hour := now.Format("01-02T15")
				want[hour] = append(want[hour], cost)
			}
			require.NoError(t, e.ConsumeTraces(t.Context(), td))
			pass(time.Hour)
		}
		pass(3 * time.Hour)
		sums := make(map[string]string)
		for hour, costs := range want {
			sums[hour] = anycosttest.Sum(costs...)
		}
		assert.Equal(t, sums, r.costs(), "totals are exact, whatever is folded")
		assert.Empty(t, r.anycost.Violations(), "the month never holds more than it may")
		assert.Positive(t, r.gauge("folded_rows"))
		assert.Len(t, r.logs.FilterMessageSnippet("allowance is short").All(), 30*24, "once per hour")
		folded := 0
		for _, row := range r.anycost.Rows() {
			if row.Tag("folded") != "" {
				folded++
				assert.Equal(t, "other", row["resource/account"])
			}
		}
		assert.Equal(t, 30*24, folded, "one row for the one provider and model")
		assert.Equal(t, "0", r.gaugeText("cost_waiting"))
	})
}

func TestRejectedCostIsShown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Retention = 48 * time.Hour
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(100 * time.Hour)
		spend(t, e, noon, "b", "0.25")
		assert.EqualValues(t, 1, r.outcomes("spans")["rejected"])
		assert.Equal(t, "0.25", r.gaugeText("rejected_cost"))
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
	})
}

func TestAForbiddenKeyIsReportedAndTriedEachRound(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.anycost.Fail(anycosttest.Fault{Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`, Times: anycosttest.Forever})
		spend(t, r.start(), noon, "a", "1")
		pass(6 * time.Hour)
		assert.InDelta(t, 5, len(r.anycost.Requests()), 1)
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, r.host.statuses)
	})
}
