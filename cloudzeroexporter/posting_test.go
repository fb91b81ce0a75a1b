package cloudzeroexporter

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// noon is a quiet full hour, far from the turn of a month.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// spend sends calls of one team that started at a time, one per cost.
func spend(t *testing.T, c consumer.Traces, at time.Time, team string, costs ...string) {
	t.Helper()
	td := ptrace.NewTraces()
	to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i, cost := range costs {
		addCall(to, at, team, fmt.Sprintf("gpt-%d", i), cost)
	}
	require.NoError(t, c.ConsumeTraces(t.Context(), td))
}

// addCall adds a call that is identified by all that it is given.
func addCall(to ptrace.SpanSlice, at time.Time, team, model, cost string) {
	span := to.AppendEmpty()
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Second)))
	var trace pcommon.TraceID
	copy(trace[:], team+"/"+cost)
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixNano()))
	copy(id[:2], model[max(0, len(model)-2):])
	span.SetTraceID(trace)
	span.SetSpanID(id)
	a := span.Attributes()
	a.PutStr("litellm.call_id", "c")
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("litellm.provider.model", "openai/"+model)
	a.PutStr("litellm.cost.total", cost)
	a.PutStr("litellm.team.id", team)
	a.PutInt("gen_ai.usage.input_tokens", 10)
	a.PutInt("gen_ai.usage.output_tokens", 5)
}

// posts are the accepted requests, as operation and hours.
func (r *rig) posts() (posts []string) {
	for _, q := range r.anycost.Requests() {
		if q.Status == http.StatusOK && q.Operation != "" {
			hours := make([]string, len(q.Hours))
			for i, h := range q.Hours {
				hours[i] = h[5:13]
			}
			posts = append(posts, q.Operation+" "+strings.Join(hours, " "))
		}
	}
	return posts
}

// sent are the requests that were to post something.
func (r *rig) sent() (sent []anycosttest.Request) {
	for _, q := range r.anycost.Requests() {
		if q.Method == http.MethodPost && strings.HasSuffix(q.Path, "/billing_drops") {
			sent = append(sent, q)
		}
	}
	return sent
}

// costs are what AnyCost holds, by hour.
func (r *rig) costs() map[string]string {
	all := make(map[string][]string)
	for _, row := range r.anycost.Rows() {
		all[row.Hour()[5:13]] = append(all[row.Hour()[5:13]], row["cost/cost"])
	}
	sums := make(map[string]string, len(all))
	for hour, costs := range all {
		sums[hour] = anycosttest.Sum(costs...)
	}
	return sums
}

// inBubble runs a test with a rig from noon on.
func inBubble(t *testing.T, test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sleepUntil(noon)
		test(t, r)
		assert.Empty(t, r.anycost.Violations())
	})
}

// pass lets time pass, and everything that is due in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAnHourIsPostedOnceItHasSettled(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon.Add(time.Minute), "a", "0.1", "0.2")
		pass(65 * time.Minute) // settles at 13:10
		assert.Empty(t, r.posts())
		pass(time.Hour + 10*time.Minute)
		assert.Equal(t, []string{"replace_hourly 11-24T12"}, r.posts())
		assert.Equal(t, map[string]string{"11-24T12": "0.3"}, r.costs())
		pass(24 * time.Hour)
		assert.Len(t, r.posts(), 1, "what AnyCost has is not posted again")
	})
}

func TestLateDataReplacesTheWholeHour(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "0.1")
		pass(3 * time.Hour)
		spend(t, e, noon, "b", "0.02")
		pass(2 * time.Hour)
		assert.Equal(t, []string{"replace_hourly 11-24T12", "replace_hourly 11-24T12"}, r.posts())
		assert.Equal(t, map[string]string{"11-24T12": "0.12"}, r.costs())
	})
}

// TestAClockThatWasAheadIsBilledOnce: the first time the call counts for the
// hour of its arrival; told again later, its own hour is believable.
func TestAClockThatWasAheadIsBilledOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon.Add(2*time.Hour), "a", "1")
		pass(90 * time.Minute)
		spend(t, e, noon.Add(2*time.Hour), "a", "1")
		pass(4 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
	})
}

func TestHoursOfTwoMonthsGoIntoTwoBodies(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		sleepUntil(time.Date(2026, 12, 1, 0, 30, 0, 0, time.UTC))
		spend(t, e, time.Date(2026, 11, 30, 22, 0, 0, 0, time.UTC), "a", "1")
		spend(t, e, time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC), "a", "2")
		spend(t, e, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), "a", "4")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-30T22": "1", "11-30T23": "2", "12-01T00": "4"}, r.costs())
	})
}

func TestAnyCostIsAwayForHours(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]anycosttest.Fault{
		"refuses service":   {Status: http.StatusServiceUnavailable, Body: "<html>sorry"},
		"limits the rate":   {Status: http.StatusTooManyRequests, RetryAfter: "120"},
		"hangs up":          {DropBefore: true},
		"hangs up too late": {DropAfter: true},
		"never answers":     {Delay: time.Hour},
		"is someone else":   {Status: http.StatusOK, Body: "<html>log in"},
		"forbids":           {Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`},
		"knows nobody":      {Status: http.StatusNotFound, Body: `{"message":"connection not found"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				fault.Times = anycosttest.Forever
				r.anycost.Fail(fault)
				e := r.start()
				want := make(map[string]string)
				const away = 30
				for i := range away {
					at := noon.Add(time.Duration(i) * time.Hour)
					spend(t, e, at.Add(time.Minute), "a", "0.1", "0.02")
					want[at.Format("01-02T15")] = "0.12"
					pass(time.Hour)
				}
				tried := len(r.anycost.Requests())
				assert.Positive(t, tried)
				assert.Less(t, tried, away*60, "it waits between attempts")
				assert.Contains(t, r.host.statuses, componentstatus.StatusRecoverableError)
				due := r.gauge("due_hours")
				assert.InDelta(t, away-1, due, 1)

				r.anycost.Heal()
				pass(4 * time.Hour)
				assert.Equal(t, want, r.costs())
				assert.Equal(t, componentstatus.StatusOK, r.host.statuses[len(r.host.statuses)-1])
				assert.Len(t, r.host.statuses, 2, "reported on change only")
				assert.Zero(t, r.gauge("due_hours"))
			})
		})
	}
}

func TestWaitsGrowToFiveMinutes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.anycost.Fail(anycosttest.Fault{Status: http.StatusBadGateway, Times: anycosttest.Forever})
		spend(t, r.start(), noon, "a", "1")
		pass(12 * time.Hour)
		requests := r.anycost.Requests()
		require.Greater(t, len(requests), 100)
		for i := 1; i < len(requests); i++ {
			wait := requests[i].Time.Sub(requests[i-1].Time)
			assert.GreaterOrEqual(t, wait, time.Second)
			assert.LessOrEqual(t, wait, 450*time.Second, "five minutes and the jitter")
		}
		assert.Less(t, requests[1].Time.Sub(requests[0].Time), 4*time.Second)
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, RetryAfter: "1200"})
		spend(t, r.start(), noon, "a", "1")
		pass(4 * time.Hour)
		requests := r.sent()
		require.Len(t, requests, 2)
		wait := requests[1].Time.Sub(requests[0].Time)
		assert.Equal(t, 20*time.Minute, wait.Truncate(time.Second), "and the moment that a commit takes")
	})
}

func TestARequestThatTakesEffectTooLateIsRepaired(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, EffectAfter: 5 * time.Minute})
		sleepUntil(noon.Add(70 * time.Minute))
		for len(r.sent()) == 0 {
			pass(time.Minute)
		}
		// The old request lingers; the hour grows and is posted in the meantime.
		spend(t, e, noon, "b", "0.5")
		pass(4 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1.5"}, r.costs())
	})
}

func TestAnHourThatIsRefusedIsHeldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		refuse := anycosttest.Fault{Method: http.MethodPost, Status: http.StatusBadRequest, Body: `{"error":{"message":"row 0: no","type":"ValidationError"}}`}
		r.anycost.Fail(refuse, refuse) // the load, then its first hour by itself
		e := r.start()
		pass(30 * time.Minute) // both hours have settled
		spend(t, e, noon.Add(-time.Hour), "a", "1")
		spend(t, e, noon.Add(-2*time.Hour), "a", "2")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T11": "1"}, r.costs())
		assert.EqualValues(t, 1, r.gauge("held_hours"))
		assert.Equal(t, "2", r.gaugeText("held_cost"))
		held := r.logs.FilterMessageSnippet("held back").All()
		require.Len(t, held, 1)
		assert.Contains(t, held[0].ContextMap()["error"], "row 0: no")

		spend(t, e, noon.Add(-2*time.Hour), "b", "0.5") // it changes, so it is tried again
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "2.5", "11-24T11": "1"}, r.costs())
		assert.Zero(t, r.gauge("held_hours"))
	})
}

func TestALargeHourGoesInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 20_000
		r := newRig(t)
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, MaxBodyBytes: most})
		sleepUntil(noon)
		e := r.start()
		td := ptrace.NewTraces()
		to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		const models = 500
		for i := range models {
			addCall(to, noon.Add(time.Duration(i)), "a", fmt.Sprintf("model-%d", i), "0.001")
		}
		require.NoError(t, e.ConsumeTraces(t.Context(), td))
		spend(t, e, noon.Add(-time.Hour), "a", "7") // a small hour goes on its own way
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T11": "7", "11-24T12": "0.5"}, r.costs())
		assert.Len(t, r.anycost.Rows(), models+1)
		assert.Empty(t, r.anycost.Violations())

		replaced := 0
		for _, post := range r.posts() {
			if post == "replace_hourly 11-24T12" {
				replaced++
			}
		}
		assert.Equal(t, 1, replaced, "one part replaces the hour, the others add to it")

		// When a part is lost, all begins again: nothing may be added twice.
		spend(t, e, noon, "b", "0.25")
		r.anycost.Fail(
			anycosttest.Fault{Method: http.MethodPost, Delay: time.Second, Times: 4},
			anycosttest.Fault{Method: http.MethodPost, DropAfter: true},
		)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T11": "7", "11-24T12": "0.75"}, r.costs())
		assert.Empty(t, r.anycost.Violations())
	})
}

func TestThousandsOfModels(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		const models = 15_000 // more than one body takes
		for i := range models / 1000 {
			td := ptrace.NewTraces()
			to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			for j := range 1000 {
				addCall(to, noon.Add(time.Duration(i*1000+j)), "a", fmt.Sprintf("model-%05d", i*1000+j), "0.000000000000001")
			}
			require.NoError(t, e.ConsumeTraces(t.Context(), td))
		}
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "0.000000000015"}, r.costs())
		assert.Len(t, r.anycost.Rows(), models)
		for _, q := range r.anycost.Requests() {
			assert.LessOrEqual(t, q.Bytes, 4_500_000)
		}
	})
}

func TestARestartPostsWhatIsLeftAndNothingElse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		spend(t, e, noon.Add(2*time.Hour), "a", "2")
		require.NoError(t, e.Shutdown(t.Context()))

		e = r.start()
		pass(3 * time.Hour)
		assert.Equal(t, []string{"replace_hourly 11-24T12", "replace_hourly 11-24T14"}, r.posts())
		spend(t, e, noon, "a", "1") // told again
		spend(t, e, noon, "b", "4")
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "5", "11-24T14": "2"}, r.costs())
		assert.EqualValues(t, 1, r.outcomes("spans")["duplicate"])
		assert.Equal(t, "7", r.gaugeText("cost_read"))
		assert.Equal(t, "7", r.gaugeText("cost_posted"))
	})
}

func TestADryRunPostsNothingAndSaysWhatItWould(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.DryRun, r.cfg.APIKey, r.cfg.ConnectionID, r.cfg.Storage = true, "", "", nil
		e := r.start()
		spend(t, e, noon, "a", "1", "0.5")
		pass(3 * time.Hour)
		assert.Empty(t, r.anycost.Requests())
		var summed []map[string]any
		for _, entry := range r.logs.FilterMessageSnippet("would have posted").All() {
			if entry.ContextMap()["hours"] != int64(0) {
				summed = append(summed, entry.ContextMap())
			}
		}
		require.Len(t, summed, 1)
		assert.Equal(t, map[string]any{"hours": int64(1), "rows": int64(2), "cost": "1.5", "tokens": uint64(30)}, summed[0])
	})
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		for _, status := range []int{400, 401, 403, 404, 413, 429, 500} {
			r.anycost.Fail(anycosttest.Fault{Status: status, Body: `{"message":"no, ` + testKey + `"}`, Times: 3})
		}
		spend(t, r.start(), noon, "a", "1")
		pass(100 * time.Hour)
		require.NotEmpty(t, r.logs.All())
		for _, entry := range r.logs.All() {
			assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), testKey)
		}
	})
}
