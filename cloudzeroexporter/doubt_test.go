package cloudzeroexporter

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

const (
	tenDoubt  = "/cloudzero/hours/2026-11-24T10:00:00Z/doubt"
	noonDoubt = "/cloudzero/hours/2026-11-24T12:00:00Z/doubt"
)

// lostAnswers are what can have become of an addition whose answer is lost, and
// what somebody then says who has looked.
var lostAnswers = map[string]struct {
	fault anycosttest.Fault
	said  string
}{
	"it took effect": {anycosttest.Fault{Method: http.MethodPost, DropAfter: true}, `{"took_effect":true}`},
	"it took effect late": {
		anycosttest.Fault{Method: http.MethodPost, EffectAfter: 14 * time.Minute}, `{"took_effect":true}`,
	},
	"it took none": {anycosttest.Fault{Method: http.MethodPost, DropBefore: true}, `{"took_effect":false}`},
}

// balanced checks that AnyCost holds what the books have, beside others' 8 dollars,
// and that nothing is left to do.
func (r *rig) balanced(total string) {
	r.t.Helper()
	eight, err := billing.ParseAmount("8")
	require.NoError(r.t, err)
	m := r.last.shipper.State(time.Now()).Months[0]
	assert.Equal(r.t, m.Read.String(), m.Posted.String())
	assert.Equal(r.t, total, r.anycost.Total())
	assert.Equal(r.t, m.Read, r.last.books.Balance().Posted())
	assert.Equal(r.t, total, m.Posted.Add(eight).String())
	assert.Zero(r.t, r.gauge("held_hours"))
	assert.Zero(r.t, r.gauge("due_hours"))
	assert.Empty(r.t, r.anycost.Violations())
}

// TestAnOperatorSettlesAnAddition: what it asked counts or is sent again, what came
// later is added, each once.
func TestAnOperatorSettlesAnAddition(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %t", name, restarted), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, r *rig) {
					r.deny(anycosttest.Read, anycosttest.List)
					r.another("replace_hourly", "24T10", "theirs", "8")
					e := r.start()
					spend(t, e, noon.Add(-2*time.Hour), "a", "1.000000000000001", "2")
					r.anycost.Fail(lost.fault)
					pass(2 * time.Hour)
					// Of a row that was in the request, and of another.
					spend(t, e, noon.Add(-2*time.Hour), "a", "0.25")
					spend(t, e, noon.Add(-2*time.Hour), "b", "0.5")
					pass(2 * time.Hour)
					require.Equal(t, "3.750000000000001", r.gaugeText("held_cost"))
					held := r.last.shipper.State(time.Now()).Held
					require.NotNil(t, held[0].Doubt)
					assert.Equal(t, 2, held[0].Doubt.Rows)
					assert.Equal(t, "3.000000000000001", held[0].Doubt.Cost.String())
					if restarted {
						r = r.afterCrash()
						require.NoError(t, e.Shutdown(t.Context()))
						e = r.start()
						pass(time.Minute)
					}

					status, answer := r.api(http.MethodPost, tenDoubt, lost.said)
					require.Equal(t, http.StatusOK, status, answer)
					assert.Equal(t, "3.000000000000001", answer["cost"])
					assert.EqualValues(t, 2, answer["rows"])
					said := r.logs.FilterMessageSnippet("An operator said").All()
					require.Len(t, said, 1)
					assert.Equal(t, zap.WarnLevel, said[0].Level)
					assert.Zero(t, r.gauge("held_hours"), "it waits for the next round")
					status, answer = r.api(http.MethodPost, tenDoubt, lost.said)
					assert.Equal(t, http.StatusConflict, status, "it is said once")
					assert.Contains(t, answer["detail"].(map[string]any)["error"], "no addition whose effect is unknown")

					pass(2 * time.Hour)
					r.balanced("11.750000000000001")
					spend(t, e, noon.Add(-2*time.Hour), "a", "0.125")
					pass(2 * time.Hour)
					r.balanced("11.875000000000001")
				})
			})
		}
	}
}

// TestACrashAfterTheDecisionKeepsIt, and one while the request is under way leaves
// what it asked.
func TestACrashAfterTheDecisionKeepsIt(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.deny(anycosttest.Read, anycosttest.List)
				r.another("replace_hourly", "24T10", "theirs", "8")
				e := r.start()
				spend(t, e, noon.Add(-2*time.Hour), "a", "1")
				lost.fault.Delay = 30 * time.Second
				r.anycost.Fail(lost.fault)
				for r.last.books.Hours()[0].Posted.Doubt == 0 {
					pass(time.Second)
				}
				pass(time.Second)         // by then the journal has what memory had
				crashed := r.afterCrash() // the request is under way
				pass(time.Hour)
				require.NoError(t, e.Shutdown(t.Context()))
				crashed.start()
				pass(time.Hour)
				require.EqualValues(t, 1, crashed.gauge("held_hours"))
				status, text := crashed.ask(tenDoubt, lost.said)
				require.Equal(t, http.StatusOK, status, text)
				again := crashed.afterCrash()
				require.NoError(t, crashed.started.Shutdown(t.Context()))
				again.start()
				pass(2 * time.Hour)
				again.balanced("9")
			})
		})
	}
}

func TestWhatAnOperatorCannotSettle(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.deny(anycosttest.Read, anycosttest.List)
		e := r.start()
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, DropBefore: true})
		for r.gauge("held_hours") == 0 {
			pass(time.Minute)
		}
		refused := func(path, body string, want int, why string) {
			t.Helper()
			status, text := r.ask(path, body)
			assert.Equal(t, want, status, text)
			assert.Contains(t, text, why)
		}
		refused(noonDoubt, `{"took_effect":true}`, http.StatusNotFound, "not in the books")
		spend(t, e, noon, "a", "1")
		refused(noonDoubt, `{"took_effect":true}`, http.StatusConflict, "no addition whose effect is unknown")
		refused(tenDoubt, `{"took_effect":false}`, http.StatusConflict, "may take effect until 2026-11-24T")

		pass(15 * time.Minute)
		spend(t, e, noon.Add(time.Hour), "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: time.Minute})
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.ask("/cloudzero/export", "{}")
		}()
		pass(time.Second)
		refused(tenDoubt, `{"took_effect":false}`, http.StatusConflict, "an export is running")
		<-done
		assert.EqualValues(t, 1, r.gauge("held_hours"), "nothing was changed")
	})
}

// TestWhereTheKeyMayReadNobodyIsAsked: the exporter finds out what became of an
// addition.
func TestWhereTheKeyMayReadNobodyIsAsked(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				e := r.start()
				r.another("replace_hourly", "24T12", "theirs", "8")
				r.addNoon(e, lost.fault)
				for _, said := range []string{`{"took_effect":true}`, `{"took_effect":false}`} {
					status, text := r.ask(noonDoubt, said)
					assert.Equal(t, http.StatusConflict, status, text)
					assert.Contains(t, text, "finds out itself")
				}
				status, text := r.ask("/cloudzero/export", "{}") // before it is too late for the request
				require.Equal(t, http.StatusOK, status, text)
				pass(3 * time.Hour)
				r.balanced("9.5")
				assert.Empty(t, r.logs.FilterMessageSnippet("held back").All())
			})
		})
	}
}

// addNoon spends 1.5 dollars in the hour of noon, and adds them with an answer that
// gets lost.
func (r *rig) addNoon(e consumer.Traces, fault anycosttest.Fault) {
	r.t.Helper()
	spend(r.t, e, noon, "a", "1", "0.5")
	pass(75 * time.Minute)
	r.anycost.Fail(fault)
	status, text := r.ask("/cloudzero/export", `{"operation":"sum","start_time_utc":"2026-11-24T12:00:00Z","end_time_utc":"2026-11-24T13:00:00Z"}`)
	require.Equal(r.t, http.StatusBadGateway, status, text)
}

// TestSomebodyIsAskedWhereReadingDoesNotTell: another wrote into the hour since.
func TestSomebodyIsAskedWhereReadingDoesNotTell(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				e := r.start()
				r.addNoon(e, lost.fault)
				r.another("sum", "24T12", "theirs", "8")
				pass(2 * time.Hour)
				held := r.last.shipper.State(time.Now()).Held
				require.Len(t, held, 1)
				assert.Contains(t, held[0].Reason, "does not tell")
				status, text := r.ask(noonDoubt, lost.said)
				require.Equal(t, http.StatusOK, status, text)
				pass(2 * time.Hour)
				assert.Equal(t, map[string]string{"11-24T12": "9.5"}, r.costs())
				assert.Zero(t, r.gauge("held_hours"))
				assert.Equal(t, "0", r.gaugeText("cost_waiting"))
			})
		})
	}
}

// TestTheDoubtIsThatOfOneBody of an addition that goes in several.
func TestTheDoubtIsThatOfOneBody(t *testing.T) {
	t.Parallel()
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.serve(anycosttest.Config{
					APIKey: testKey, ConnectionID: testConnection, MaxBodyBytes: 20_000, Denied: []anycosttest.Scope{anycosttest.Read, anycosttest.List},
				})
				r.another("replace_hourly", "24T10", "theirs", "8")
				td := ptrace.NewTraces()
				to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
				for i := range 300 {
					addCall(to, noon.Add(-2*time.Hour+time.Duration(i)), "a", fmt.Sprintf("model-%d", i), "0.001")
				}
				e := r.start()
				const before = 6 // refused as too large, or accepted
				r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Times: before}, lost.fault)
				require.NoError(t, e.ConsumeTraces(t.Context(), td))
				pass(2 * time.Hour)
				held := r.last.shipper.State(time.Now()).Held
				require.Len(t, held, 1)
				d := held[0].Doubt
				require.NotNil(t, d)
				assert.False(t, d.Before.IsZero(), "bodies before it were accepted")
				m := r.last.shipper.State(time.Now()).Months[0]
				assert.Equal(t, d.Before, m.Posted)
				assert.Equal(t, m.Read.Sub(d.Before), m.Held)
				status, text := r.ask(tenDoubt, lost.said)
				require.Equal(t, http.StatusOK, status, text)
				if lost.said == `{"took_effect":true}` {
					assert.Equal(t, d.After(), r.last.books.Balance().Posted(), "at once")
				}
				pass(2 * time.Hour)
				r.balanced("8.3")
				assert.Len(t, r.anycost.Rows(), 301)
				assert.Equal(t, 300, r.last.books.Balance().Months[0].Rows)
			})
		})
	}
}

// TestAnAnswerThatTheBooksCannotRecordIsRemembered: nobody is asked what it was.
func TestAnAnswerThatTheBooksCannotRecordIsRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.deny(anycosttest.Read, anycosttest.List)
		r.another("replace_hourly", "24T10", "theirs", "8")
		disk := &failingDisk{memory: r.disk}
		r.host.extensions[diskID] = disk
		e := r.start()
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: 30 * time.Second})
		for r.last.books.Hours()[0].Posted.Doubt == 0 {
			pass(time.Second)
		}
		pass(time.Second) // by then the journal has what memory had
		disk.fail.Store(true)
		pass(time.Minute)
		require.Equal(t, map[string]string{"11-24T10": "9"}, r.costs())
		disk.fail.Store(false)
		pass(2 * time.Hour)
		r.balanced("9")
	})
}
