package cloudzeroexporter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// spentThreeHours is a rig with three hours: one posted, one due, one open.
func spentThreeHours(t *testing.T, r *rig) {
	t.Helper()
	e := r.start()
	spend(t, e, noon, "a", "1", "0.5")
	pass(2*time.Hour + 10*time.Minute) // posted at 14:03
	spend(t, e, noon.Add(time.Hour), "b", "2")
	spend(t, e, noon.Add(2*time.Hour), "a", "4", "0.25", "0.125")
	require.Equal(t, map[string]string{"11-24T12": "1.5"}, r.costs())
}

// api asks and decodes the answer.
func (r *rig) api(method, path, body string) (status int, answer map[string]any) {
	r.t.Helper()
	status, text := r.askAs(method, path, body)
	require.NoError(r.t, json.Unmarshal([]byte(text), &answer), text)
	return status, answer
}

func TestExportTakesRangesAndLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		zone    string
		records float64
		posted  []string
		want    map[string]string
	}{
		"everything that is unposted": {
			body: `{}`, records: 4, posted: []string{"T13", "T14"},
			want: map[string]string{"11-24T12": "1.5", "11-24T13": "2", "11-24T14": "4.375"},
		},
		"one hour, by a time in the middle of it": {
			body: `{"start_time_utc":"2026-11-24T13:20:00Z","end_time_utc":"2026-11-24T13:40:00Z"}`, records: 1, posted: []string{"T13"},
			want: map[string]string{"11-24T12": "1.5", "11-24T13": "2"},
		},
		"an hour that was posted, again": {
			body: `{"start_time_utc":"2026-11-24 12:00","end_time_utc":"2026-11-24 13:00"}`, records: 2, posted: []string{"T12"},
			want: map[string]string{"11-24T12": "1.5"},
		},
		"times of the time zone": {
			body: `{"start_time_utc":"2026-11-24 14:00","end_time_utc":"2026-11-24 15:00"}`, zone: "Europe/Berlin", records: 1, posted: []string{"T13"},
			want: map[string]string{"11-24T12": "1.5", "11-24T13": "2"},
		},
		"the newest hours that hold as many rows": {
			body: `{"limit":3}`, records: 3, posted: []string{"T14"}, want: map[string]string{"11-24T12": "1.5", "11-24T14": "4.375"},
		},
		"never a partial hour": {
			body: `{"limit":1}`, records: 3, posted: []string{"T14"}, want: map[string]string{"11-24T12": "1.5", "11-24T14": "4.375"},
		},
		"added": {
			body: `{"operation":"sum","start_time_utc":"2026-11-24T13:00:00Z","end_time_utc":"2026-11-24T14:00:00Z"}`, records: 1, posted: []string{"T13"},
			want: map[string]string{"11-24T12": "1.5", "11-24T13": "2"},
		},
		"the whole month": {
			body: `{"operation":"replace_drop","start_time_utc":"2026-11-01","end_time_utc":"2026-12-01"}`, records: 6, posted: []string{"T12", "T13", "T14"},
			want: map[string]string{"11-24T12": "1.5", "11-24T13": "2", "11-24T14": "4.375"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				if c.zone != "" {
					r.cfg.Timezone = c.zone
				}
				spentThreeHours(t, r)
				pass(5 * time.Minute) // 14:15: 13 has settled, and its round is at 15:03
				status, answer := r.api(http.MethodPost, "/cloudzero/export", c.body)
				require.Equal(t, http.StatusOK, status, answer)
				assert.Equal(t, "success", answer["status"])
				assert.InDelta(t, c.records, answer["records_exported"], 0)
				var posted []string
				for _, h := range answer["posted"].([]any) {
					posted = append(posted, h.(map[string]any)["hour"].(string)[10:13])
				}
				assert.Equal(t, c.posted, posted)
				assert.Equal(t, c.want, r.costs())
				// What was asked for comes out right with the rounds, too.
				pass(3 * time.Hour)
				assert.Equal(t, "7.875", r.anycost.Total())
			})
		})
	}
}

func TestExportRefusesWhatWouldDoubleOrErase(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"operation":"sum","start_time_utc":"2026-11-24T12:00:00Z","end_time_utc":"2026-11-24T13:00:00Z"}`: "sum would double hour 2026-11-24T12:00:00Z",
		`{"operation":"sum"}`:          "hour 2026-11-24T14:00:00Z is still open",
		`{"operation":"replace_drop"}`: "replace_drop replaces a whole month",
		`{"operation":"replace_drop","start_time_utc":"2026-11-24","end_time_utc":"2026-12-01"}`: "replace_drop replaces a whole month",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				spentThreeHours(t, r)
				before := r.costs()
				status, answer := r.api(http.MethodPost, "/cloudzero/export", body)
				assert.Equal(t, http.StatusConflict, status)
				assert.Contains(t, answer["detail"].(map[string]any)["error"], want)
				assert.Equal(t, before, r.costs())
			})
		})
	}
}

// TestAMonthThatFitsIntoNoBodyIsNotReplaced, not even in part.
func TestAMonthThatFitsIntoNoBodyIsNotReplaced(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range 6000 {
			addCall(spans, noon.Add(time.Duration(i)), fmt.Sprintf("team-%d", i), "gpt-4o", "0.5")
		}
		require.NoError(t, e.ConsumeTraces(t.Context(), td))
		status, answer := r.api(http.MethodPost, "/cloudzero/export",
			`{"operation":"replace_drop","start_time_utc":"2026-11-01","end_time_utc":"2026-12-01"}`)
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, answer["detail"].(map[string]any)["error"], "month 2026-11 does not fit into one body")
		assert.Empty(t, r.costs())
	})
}

func TestBadRequestsAreNamed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spentThreeHours(t, r)
		for body, want := range map[string]string{
			`{"limit":0}`:                    "limit: 0 is not a number of rows",
			`{"limit":"5"}`:                  "limit",
			`{"start_time_utc":"yesterday"}`: `start_time_utc: "yesterday" is not a time`,
			`{"end_time_utc":"1999"}`:        `end_time_utc: "1999" is not a time`,
			`{"start_time_utc":"2026-11-24","end_time_utc":"2026-11-23"}`: "end_time_utc: 2026-11-23 is not after 2026-11-24",
			`{"start":"2026-11-24"}`: `unknown field "start"`,
			`{"operation":"erase"}`:  `operation: "erase" is none of replace_hourly, sum, replace_drop`,
		} {
			for _, path := range []string{"/cloudzero/export", "/cloudzero/dry-run"} {
				status, answer := r.api(http.MethodPost, path, body)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, answer["detail"].(map[string]any)["error"], want)
			}
		}
		for path, want := range map[string]string{
			"/cloudzero/hours?from=x":                                    `from: "x" is not a time`,
			"/cloudzero/hours?offset=-1":                                 `offset: "-1"`,
			"/cloudzero/summary?group_by=color":                          `group_by: "color" is none of`,
			"/cloudzero/hours/noon/rows":                                 `"noon" is not a full hour such as`,
			"/cloudzero/hours?form=2026-11-24":                           `unknown parameter "form"; there are from, to, offset, limit`,
			"/cloudzero/summary?by=team":                                 `unknown parameter "by"; there are group_by, from, to, per, offset, limit`,
			"/cloudzero/hours/2026-11-24T12:00:00Z/rows?from=2026-11-24": `unknown parameter "from"; there are format, offset, limit`,
		} {
			status, answer := r.api(http.MethodGet, path, "")
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, answer["detail"].(map[string]any)["error"], want)
		}
		status, _ := r.api(http.MethodGet, "/cloudzero/hours/2020-01-01T00:00:00Z/rows", "")
		assert.Equal(t, http.StatusNotFound, status)
	})
}

func TestTheBooksCanBeRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spentThreeHours(t, r)

		_, answer := r.api(http.MethodGet, "/cloudzero/hours", "")
		var states []string
		for _, h := range answer["hours"].([]any) {
			line := h.(map[string]any)
			states = append(states, line["hour"].(string)[11:13]+" "+line["state"].(string)+" "+line["cost"].(string)+" "+line["waiting"].(string))
		}
		assert.Equal(t, []string{"14 open 4.375 4.375", "13 due 2 2", "12 posted 1.5 0"}, states)
		_, answer = r.api(http.MethodGet, "/cloudzero/hours?from=2026-11-24T13:00:00Z&to=2026-11-24T14:00:00Z", "")
		assert.EqualValues(t, 1, answer["total"])

		_, answer = r.api(http.MethodGet, "/cloudzero/balance", "")
		month := answer["months"].([]any)[0].(map[string]any)
		assert.Equal(t, map[string]any{
			"month": "2026-11", "read": "7.875", "posted": "1.5", "waiting": "6.375", "held": "0", "folded_rows": 0.0,
			"unpriced_requests": 0.0, "unpriced_tokens": 0.0,
		}, month)
		assert.Equal(t, "0", answer["rejected"])

		for by, want := range map[string]string{
			"team": "a=5.875 b=2", "provider": "openai=7.875", "model": "gpt-0=7 gpt-1=0.75 gpt-2=0.125", "day": "2026-11-24=7.875", "user": "=7.875",
			"hour": "2026-11-24T12:00:00Z=1.5 2026-11-24T13:00:00Z=2 2026-11-24T14:00:00Z=4.375",
		} {
			_, answer = r.api(http.MethodGet, "/cloudzero/summary?group_by="+by, "")
			var lines []string
			for _, g := range answer["groups"].([]any) {
				line := g.(map[string]any)
				lines = append(lines, line["name"].(string)+"="+line["cost"].(string))
			}
			assert.Equal(t, want, strings.Join(lines, " "), by)
			assert.Equal(t, "7.875", answer["total_cost"])
		}

		_, answer = r.api(http.MethodGet, "/cloudzero/hours/2026-11-24T12:00:00Z/rows", "")
		posted := r.anycost.Rows()
		require.Len(t, answer["rows"], len(posted))
		for i, row := range answer["rows"].([]any) {
			for column, value := range posted[i] {
				assert.Equal(t, value, row.(map[string]any)[column])
			}
		}
		_, text := r.askAs(http.MethodGet, "/cloudzero/hours/2026-11-24T12:00:00Z/rows?format=csv", "")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		require.Len(t, lines, 3)
		assert.True(t, strings.HasPrefix(lines[0], "time/usage_start,cost/cost,usage/amount,usage/units,resource/id"), lines[0])
		assert.True(t, strings.HasPrefix(lines[1], "2026-11-24T12:00:00Z,1,15,tokens,czrn:litellm:openai"), lines[1])
	})
}

func TestNamesAreHarmlessInASpreadsheet(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spend(t, r.start(), noon, `=HYPERLINK("http://evil")`, "1")
		_, text := r.askAs(http.MethodGet, "/cloudzero/hours/2026-11-24T12:00:00Z/rows?format=csv", "")
		assert.Contains(t, text, `"'=HYPERLINK(""http://evil"")"`)
	})
}

func TestSettingsShowNoSecret(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.APIKey = "a-secret-key-that-is-long"
		r.serve(anycosttest.Config{ConnectionID: testConnection})
		spentThreeHours(t, r)
		_, text := r.askAs(http.MethodGet, "/cloudzero/settings", "")
		assert.NotContains(t, text, "secret")
		_, answer := r.api(http.MethodGet, "/cloudzero/settings", "")
		assert.Equal(t, "a-se****long", answer["api_key_masked"])
		assert.Equal(t, testConnection, answer["connection_id"])
		assert.Equal(t, "UTC", answer["timezone"])
		assert.Equal(t, "active", answer["status"])
		assert.Equal(t, "2026-11-24T14:03:34Z", answer["last_post"])
	})
}

func TestTheConnectionCanBeTested(t *testing.T) {
	t.Parallel()
	all := []anycosttest.Scope{anycosttest.List, anycosttest.Read, anycosttest.Validate}
	for name, c := range map[string]struct {
		cfg             anycosttest.Config
		status, message string
		missing         []any
	}{
		"all scopes":         {anycosttest.Config{APIKey: testKey, ConnectionID: testConnection}, "success", "knows the key", []any{}},
		"only to create":     {anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Denied: all}, "error", "may do no more than create", []any{"list", "read", "validate"}},
		"not to validate":    {anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Denied: all[2:]}, "success", "knows the key", []any{"validate"}},
		"another connection": {anycosttest.Config{APIKey: testKey, ConnectionID: "other"}, "error", "check CLOUDZERO_CONNECTION_ID", []any{}},
		"another key":        {anycosttest.Config{APIKey: "other", ConnectionID: testConnection}, "error", "the key is wrong", []any{"list", "read", "validate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.serve(c.cfg)
				r.start()
				status, answer := r.api(http.MethodPost, "/cloudzero/test", "")
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, c.status, answer["status"])
				assert.Contains(t, answer["message"], c.message)
				assert.Equal(t, c.missing, answer["missing_scopes"])
				assert.Empty(t, r.anycost.Rows())
			})
		})
	}
}

func TestThePageShowsTheBooksAndEscapesNames(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spentThreeHours(t, r)
		spend(t, r.started, noon, `<script>alert(1)</script>`, "0.0625")
		status, text := r.askAs(http.MethodGet, "/?group_by=team", "")
		assert.Equal(t, http.StatusOK, status)
		for _, want := range []string{
			"Posting works.", "<td class=\"n\">7.9375</td><td class=\"n\">1.5</td><td class=\"n\">6.4375</td><td class=\"n\">0</td>",
			"&lt;script&gt;alert(1)&lt;/script&gt;", `<td class="n">5.875</td>`, `class="state due"`, "2026-11-24 14:03:34",
		} {
			assert.Contains(t, text, want)
		}
		assert.NotContains(t, text, "<script>alert")
		assert.NotContains(t, text, testKey)
	})
}

func TestOutcomesAreThoseOfTheMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1", "", "-1")
		spend(t, e, noon, "a", "1")
		_, answer := r.api(http.MethodGet, "/cloudzero/outcomes", "")
		spans, tokens := map[string]int64{}, map[string]int64{}
		for _, o := range answer["outcomes"].([]any) {
			line := o.(map[string]any)
			assert.NotEmpty(t, line["meaning"])
			if n := line["spans"].(float64); n > 0 {
				spans[line["outcome"].(string)], tokens[line["outcome"].(string)] = int64(n), int64(line["tokens"].(float64))
			}
		}
		assert.Equal(t, map[string]int64{"billed": 1, "unpriced": 1, "invalid": 1, "duplicate": 1}, spans)
		assert.Equal(t, r.outcomes("spans"), spans)
		assert.Equal(t, r.outcomes("tokens"), tokens)
		assert.Empty(t, answer["points"])
		_, balance := r.api(http.MethodGet, "/cloudzero/balance", "")
		month := balance["months"].([]any)[0].(map[string]any)
		assert.EqualValues(t, 1, month["unpriced_requests"])
		assert.EqualValues(t, 15, month["unpriced_tokens"])
	})
}

// TestARefusedReplacementOfAMonthErasesNothing: an hour that began before the
// books keeps what CloudZero held of it, as if nobody had asked.
func TestARefusedReplacementOfAMonthErasesNothing(t *testing.T) {
	t.Parallel()
	withAndWithoutReading(t, func(t *testing.T, r *rig) {
		r.another("replace_hourly", "24T10", "theirs", "8")
		e := r.start()
		pass(time.Second) // the first round
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests})
		status, answer := r.api(http.MethodPost, "/cloudzero/export",
			`{"operation":"replace_drop","start_time_utc":"2026-11-01","end_time_utc":"2026-12-01"}`)
		assert.Equal(t, http.StatusBadGateway, status, answer)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "9"}, r.costs())
	})
}

// TestAMonthThatTheBooksHaveOnlyAPartOfIsNotReplaced: hours beyond the retention
// have left the books, and the replacement would erase them.
func TestAMonthThatTheBooksHaveOnlyAPartOfIsNotReplaced(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Retention = 24 * time.Hour
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(26 * time.Hour)
		spend(t, e, time.Now(), "a", "2")
		pass(3 * time.Hour)
		want := map[string]string{"11-24T12": "1", "11-25T14": "2"}
		require.Equal(t, want, r.costs())
		status, answer := r.api(http.MethodPost, "/cloudzero/export",
			`{"operation":"replace_drop","start_time_utc":"2026-11-01","end_time_utc":"2026-12-01"}`)
		assert.Equal(t, http.StatusConflict, status, answer)
		assert.Equal(t, want, r.costs())
	})
}

// TestAnAdditionThatWasHalfMadeIsGoneOnWith: an hour that can only be added to
// takes two bodies, and AnyCost does not take the second one now. An operator who
// asks for the addition then must not get the first one twice.
func TestAnAdditionThatWasHalfMadeIsGoneOnWith(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.deny(anycosttest.Read, anycosttest.List)
		pass(30 * time.Minute) // into an hour that was not the books' from its beginning
		e := r.start()
		const models = 10_000
		td := ptrace.NewTraces()
		to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range models {
			addCall(to, noon.Add(time.Duration(i)), "a", fmt.Sprintf("model-%05d", i), "0.25")
		}
		require.NoError(t, e.ConsumeTraces(t.Context(), td))
		r.anycost.Fail(
			anycosttest.Fault{Method: http.MethodPost, Delay: time.Second},
			anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, RetryAfter: "600"},
		)
		for len(r.sent()) < 2 {
			pass(time.Minute)
		}
		added := len(r.anycost.Rows())
		require.Positive(t, added)
		require.Less(t, added, models)
		status, answer := r.api(http.MethodPost, "/cloudzero/export",
			`{"operation":"sum","start_time_utc":"2026-11-24T12:00:00Z","end_time_utc":"2026-11-24T13:00:00Z"}`)
		assert.Equal(t, http.StatusOK, status, answer)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "2500"}, r.costs())
	})
}

// TestALargeHourThatIsPostedAgainInPartIsFinished: the first part has replaced
// the hour, the second is too large after all, and the new beginning is refused
// for now. The hour did not change, but AnyCost has lost most of it.
func TestALargeHourThatIsPostedAgainInPartIsFinished(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, MaxBodyBytes: 20_000})
		e := r.start()
		td := ptrace.NewTraces()
		to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range 500 {
			addCall(to, noon.Add(time.Duration(i)), "a", fmt.Sprintf("model-%d", i), "0.001")
		}
		require.NoError(t, e.ConsumeTraces(t.Context(), td))
		pass(3 * time.Hour)
		require.Equal(t, map[string]string{"11-24T12": "0.5"}, r.costs())
		before := 0 // requests up to the first part
		for r.sent()[before].Operation != "sum" {
			before++
		}
		r.anycost.Fail(
			anycosttest.Fault{Method: http.MethodPost, Delay: time.Second, Times: before},
			anycosttest.Fault{Method: http.MethodPost, Status: http.StatusRequestEntityTooLarge},
			anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests},
		)
		status, answer := r.api(http.MethodPost, "/cloudzero/export",
			`{"start_time_utc":"2026-11-24T12:00:00Z","end_time_utc":"2026-11-24T13:00:00Z"}`)
		assert.Equal(t, http.StatusBadGateway, status, answer)
		require.NotEqual(t, map[string]string{"11-24T12": "0.5"}, r.costs())
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "0.5"}, r.costs())
	})
}
