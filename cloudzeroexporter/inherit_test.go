package cloudzeroexporter

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// another posts to AnyCost beside the exporter: an hour of November 2026, as
// 24T12, with one row.
func (r *rig) another(operation, hour, id, cost string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"month":"2026-11","operation":%q,"data":[{"time/usage_start":"2026-11-%s:00:00Z","resource/id":%q,"cost/cost":%q}]}`,
		operation, hour, id, cost)
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost,
		"https://anycost/v2/connections/billing/anycost/"+testConnection+"/billing_drops", strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Authorization", testKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := r.anycost.Transport().RoundTrip(request)
	require.NoError(r.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, response.Body.Close())
	require.Equal(r.t, http.StatusOK, response.StatusCode, string(text))
}

// deny puts another stand-in in the place of the first, whose key lacks scopes.
func (r *rig) deny(scopes ...anycosttest.Scope) {
	r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Denied: scopes})
}

func withAndWithoutReading(t *testing.T, test func(*testing.T, *rig)) {
	t.Helper()
	for name, denied := range map[string][]anycosttest.Scope{
		"with the scope to read": nil, "without the scope to read": {anycosttest.Read, anycosttest.List},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.deny(denied...)
				test(t, r)
				assert.Empty(t, r.anycost.Violations())
			})
		})
	}
}

// TestAStorageThatIsLostInTheMiddleOfAnHour: what was posted of the hour stays,
// what comes after is added.
func TestAStorageThatIsLostInTheMiddleOfAnHour(t *testing.T) {
	t.Parallel()
	withAndWithoutReading(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		spend(t, e, noon.Add(-time.Hour), "a", "2")
		pass(3 * time.Hour)
		spend(t, e, noon.Add(3*time.Hour), "a", "4") // acknowledged, not posted: gone with the disk
		require.NoError(t, e.Shutdown(t.Context()))

		r.host.extensions[diskID] = &diskExtension{disk: newMemory()}
		e = r.start()
		spend(t, e, noon, "b", "0.5")                   // late for an hour that was posted
		spend(t, e, noon.Add(3*time.Hour), "b", "0.25") // the hour in which the disk was lost
		pass(3 * time.Hour)
		want := map[string]string{"11-24T11": "2", "11-24T12": "1.5", "11-24T15": "0.25"}
		assert.Equal(t, want, r.costs())

		// Later still: an hour that could only be added to gets the rest as well.
		spend(t, e, noon, "b", "0.125")
		spend(t, e, noon, "c", "0.0625")
		pass(3 * time.Hour)
		want["11-24T12"] = "1.6875"
		assert.Equal(t, want, r.costs())
		assert.Equal(t, "0", r.gaugeText("cost_waiting"))
	})
}

// TestMovingOverFromLiteLLMsExporter, which stamps a whole day on its first hour.
func TestMovingOverFromLiteLLMsExporter(t *testing.T) {
	t.Parallel()
	withAndWithoutReading(t, func(t *testing.T, r *rig) {
		r.another("replace_hourly", "24T00", "czrn:litellm:openai:cross-region:a:llm-usage:gpt-0", "100")
		r.another("sum", "24T00", "czrn:litellm:openai:cross-region:b:llm-usage:gpt-0", "10")
		e := r.start()
		spend(t, e, noon.Add(-12*time.Hour), "a", "0.5") // late, into that very hour
		spend(t, e, noon, "a", "1")
		pass(4 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T00": "110.5", "11-24T12": "1"}, r.costs())
	})
}

func TestASumWhoseAnswerIsLostIsNeverRepeated(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]anycosttest.Fault{
		"that took effect": {DropAfter: true}, "that took none": {DropBefore: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.deny(anycosttest.Read, anycosttest.List)
				r.another("replace_hourly", "24T10", "theirs", "8")
				fault.Method = http.MethodPost
				e := r.start()
				spend(t, e, noon.Add(-2*time.Hour), "a", "1")
				r.anycost.Fail(fault)
				spend(t, e, noon, "a", "4")
				pass(6 * time.Hour)
				want := map[string]string{"11-24T10": "8", "11-24T12": "4"}
				if fault.DropAfter {
					want["11-24T10"] = "9"
				}
				assert.Equal(t, want, r.costs(), "the other hour goes on")
				assert.Equal(t, "1", r.gaugeText("held_cost"))
				assert.NotEmpty(t, r.logs.FilterMessageSnippet("held back").All())
			})
		})
	}
}

func TestASecondWriterIsNoticedAndNothingIsErased(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		r.another("replace_hourly", "24T13", "theirs", "8")
		spend(t, e, noon.Add(3*time.Hour), "a", "2")
		pass(4 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T13": "8"}, r.costs(), "nothing is posted into the month")
		assert.EqualValues(t, 1, r.gauge("conflicting_months"))
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, r.host.statuses)
		require.Len(t, r.logs.FilterMessageSnippet("Something else writes").All(), 1, "once")
		assert.Equal(t, "2", r.gaugeText("cost_waiting"))

		status, text := r.ask("/cloudzero/export", `{"confirm_months":["2026-11"]}`)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T13": "8", "11-24T15": "2"}, r.costs())
		assert.Zero(t, r.gauge("conflicting_months"))
		spend(t, e, noon.Add(7*time.Hour), "a", "3")
		pass(4 * time.Hour)
		assert.Equal(t, "14", r.anycost.Total())
	})
}

func TestASecondWriterThatReplacesOurHourIsNoticedByTheVerification(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		r.another("replace_hourly", "24T12", "theirs", "8") // as many rows as before
		pass(26 * time.Hour)
		assert.EqualValues(t, 1, r.gauge("conflicting_months"))
		assert.Equal(t, map[string]string{"11-24T12": "8"}, r.costs())
		status, text := r.ask("/cloudzero/export", `{"confirm_months":["2026-11"]}`)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
	})
}

// TestHoursThatLeftTheBooksAreNoSecondWriters: CloudZero still holds them.
func TestHoursThatLeftTheBooksAreNoSecondWriters(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Retention = 24 * time.Hour
		e := r.start()
		const hours = 100
		for range hours {
			spend(t, e, time.Now(), "a", "1")
			pass(time.Hour)
		}
		pass(3 * time.Hour)
		assert.NotEmpty(t, r.logs.FilterMessageSnippet("has left the books").All())
		assert.Zero(t, r.gauge("conflicting_months"))
		assert.Equal(t, strconv.Itoa(hours), r.anycost.Total())

		// Another who writes now is noticed all the same.
		r.another("replace_hourly", "28T18", "theirs", "8")
		pass(26 * time.Hour)
		assert.EqualValues(t, 1, r.gauge("conflicting_months"))
	})
}

func TestWhatAnyCostLostIsPostedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1", "2")
		pass(3 * time.Hour)
		r.anycost.Forget("2026-11-24T12:00:00Z")
		pass(26 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "3"}, r.costs())
		assert.Zero(t, r.gauge("conflicting_months"))
	})
}

func TestWithoutScopesItSaysSoOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.deny(anycosttest.Read, anycosttest.List, anycosttest.Validate)
		e := r.start()
		for range 60 {
			spend(t, e, time.Now(), "a", "1")
			pass(time.Hour)
		}
		assert.Len(t, r.logs.FilterMessageSnippet("may not list").All(), 1)
		assert.Len(t, r.logs.FilterMessageSnippet("cannot be verified").All(), 1)
		assert.GreaterOrEqual(t, len(r.costs()), 58)
	})
}

// TestAnotherConnectionHasOtherBooks: what one connection got, another does not.
func TestAnotherConnectionHasOtherBooks(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.serve(anycosttest.Config{APIKey: testKey})
		disks := map[string]*memory{}
		r.host.extensions[diskID] = &disksExtension{disks: disks}
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))
		r.cfg.ConnectionID = "connection-2"
		e = r.start()
		pass(3 * time.Hour)
		spend(t, e, time.Now(), "a", "2")
		pass(3 * time.Hour)
		assert.Len(t, disks, 3, "two books, and which is whose")
		assert.Equal(t, []string{"replace_hourly 11-24T12", "replace_hourly 11-24T18"}, r.posts())
	})
}

// TestAnHourThatCannotBeReadIsNotErased: its value on disk rots while only the
// disk has it.
func TestAnHourThatCannotBeReadIsNotErased(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(26 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))
		rotten := 0
		for key, value := range r.disk.values {
			if strings.HasPrefix(key, "hour/") {
				value[len(value)-1] ^= 1
				rotten++
			}
		}
		require.Positive(t, rotten)
		e = r.start()
		spend(t, e, noon, "b", "0.5")
		pass(3 * time.Hour)
		assert.Equal(t, "1.5", r.costs()["11-24T12"])
		assert.NotEmpty(t, r.logs.FilterMessageSnippet("cannot be read").All())
	})
}

// TestAnHourThatWasLostBeforeItWasPostedKeepsNothingUp: it has no rows any more.
func TestAnHourThatWasLostBeforeItWasPostedKeepsNothingUp(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"alone": "", "among others": "2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Status: http.StatusServiceUnavailable, Times: anycosttest.Forever})
				e := r.start()
				spend(t, e, noon, "a", "1")
				pass(2 * time.Hour)
				require.NoError(t, e.Shutdown(t.Context()))
				for key, value := range r.disk.values {
					if strings.HasPrefix(key, "hour/") {
						value[len(value)-1] ^= 1
					}
				}
				r.anycost.Heal()
				want := map[string]string{}
				e = r.start()
				if more != "" {
					spend(t, e, noon.Add(-time.Hour), "b", more)
					spend(t, e, noon.Add(time.Hour), "b", more)
					want = map[string]string{"11-24T11": more, "11-24T13": more}
				}
				pass(4 * time.Hour)
				assert.Equal(t, want, r.costs())
				assert.Zero(t, r.gauge("due_hours"))
				assert.Zero(t, r.gauge("held_hours"))
				for _, q := range r.sent() {
					assert.NotEqual(t, http.StatusBadRequest, q.Status)
					assert.False(t, q.Status == http.StatusOK && len(q.Hours) == 0, "an empty drop")
				}
			})
		})
	}
}

// TestAnAdditionThatIsTooLargeIsMadeInSmallerBodies, each of its rows once.
func TestAnAdditionThatIsTooLargeIsMadeInSmallerBodies(t *testing.T) {
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
		require.NoError(t, r.start().ConsumeTraces(t.Context(), td))
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "8.3"}, r.costs())
		assert.Len(t, r.anycost.Rows(), 301)
		assert.Zero(t, r.gauge("held_hours"))
		assert.Equal(t, "0.3", r.last.shipper.State(time.Now()).Months[0].Posted.String())
	})
}

// TestAnAdditionThatTheBooksCannotRecordIsMadeLater: nothing was sent, so nothing
// is in doubt.
func TestAnAdditionThatTheBooksCannotRecordIsMadeLater(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.deny(anycosttest.Read, anycosttest.List)
		r.another("replace_hourly", "24T10", "theirs", "8")
		disk := &failingDisk{memory: r.disk}
		r.host.extensions[diskID] = disk
		e := r.start()
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		pass(2 * time.Hour)
		require.Equal(t, map[string]string{"11-24T10": "9"}, r.costs())
		spend(t, e, noon.Add(-2*time.Hour), "a", "0.5")
		disk.fail.Store(true)
		pass(2 * time.Hour)
		require.Equal(t, map[string]string{"11-24T10": "9"}, r.costs())
		disk.fail.Store(false)
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "9.5"}, r.costs())
		assert.Zero(t, r.gauge("held_hours"))
	})
}
