package cloudzeroexporter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
)

func TestASecondExportIsToldOfTheFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spentThreeHours(t, r)
		_, answer := r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Equal(t, false, answer["running"], "there was none yet")
		assert.Nil(t, answer["since"])

		spend(t, r.started, noon.AddDate(0, -1, 0), "a", "8") // another month, so another body
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost}, anycosttest.Fault{Method: http.MethodPost, Delay: 30 * time.Second})
		first := make(chan string)
		go func() {
			_, text := r.askAs(http.MethodPost, "/cloudzero/export", "")
			first <- text
		}()
		pass(10 * time.Second)
		status, answer := r.api(http.MethodPost, "/cloudzero/export", "{}")
		assert.Equal(t, http.StatusConflict, status)
		detail := answer["detail"].(map[string]any)
		assert.Equal(t, "an export is running already, since 2026-11-24T14:10:00Z; it has posted 1 of 3 hours, with 1 rows", detail["error"])
		running := map[string]any{
			"running": true, "since": "2026-11-24T14:10:00Z", "ended": nil,
			"hours": 3.0, "hours_posted": 1.0, "hours_held": 0.0, "rows_posted": 1.0,
		}
		assert.Equal(t, running, detail["progress"])
		_, answer = r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Equal(t, running, answer)
		_, page := r.askAs(http.MethodGet, "/", "")
		assert.Contains(t, page, "An export runs: 1 of 3 hours are posted.")

		assert.Contains(t, <-first, `"records_exported":5`)
		_, answer = r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Equal(t, false, answer["running"])
		assert.Equal(t, "2026-11-24T14:10:30Z", answer["ended"])
		assert.InDelta(t, 3, answer["hours_posted"], 0)
		status, _ = r.api(http.MethodPost, "/cloudzero/export", "{}")
		assert.Equal(t, http.StatusOK, status)
	})
}

func TestAnExportThatWaitsForARoundSaysSo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: 30 * time.Second})
		pass(2*time.Hour + 3*time.Minute + 40*time.Second) // the round of 14:03 is under way
		go func() { r.askAs(http.MethodPost, "/cloudzero/export", "") }()
		synctest.Wait()
		status, answer := r.api(http.MethodPost, "/cloudzero/export", "{}")
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, answer["detail"].(map[string]any)["error"], "it waits for a round that is under way")
		pass(time.Minute)
	})
}

// TestAClientThatGoesAwayDoesNotStopAnExport in the middle of an hour that goes
// in parts: the second part is still added.
func TestAClientThatGoesAwayDoesNotStopAnExport(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.Limits.MonthBytes, r.cfg.Limits.MonthRows = 1<<30, 1<<30
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, MaxMonthBytes: 1 << 30})
		e := r.start()
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		const calls = 12_000 // about 5 MB of rows
		for i := range calls {
			addCall(spans, noon.Add(time.Duration(i)), strings.Repeat("x", 40)+time.Duration(i).String(), "gpt-4o", "0.5")
		}
		require.NoError(t, e.ConsumeTraces(t.Context(), td))
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: time.Second}, anycosttest.Fault{Method: http.MethodPost, Delay: 30 * time.Second})
		ctx, goAway := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/cloudzero/export", http.NoBody)
			console.Handler(console.Options{Current: r.last.exports, Logger: r.set.Logger}).ServeHTTP(httptest.NewRecorder(), request)
		}()
		pass(10 * time.Second)
		require.Equal(t, []string{"replace_hourly 11-24T12"}, r.posts(), "one part is there")
		goAway()
		<-gone
		_, answer := r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Equal(t, true, answer["running"])
		pass(time.Minute)
		assert.Equal(t, []string{"replace_hourly 11-24T12", "sum 11-24T12"}, r.posts())
		assert.Equal(t, map[string]string{"11-24T12": "6000"}, r.costs())
		_, answer = r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Equal(t, false, answer["running"])
		assert.NotContains(t, answer, "error")
	})
}

func TestAnExportThatStopsSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		spentThreeHours(t, r)
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Status: http.StatusServiceUnavailable})
		status, answer := r.api(http.MethodPost, "/cloudzero/export", "")
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Equal(t, "error", answer["status"])
		assert.Contains(t, answer["detail"].(map[string]any)["error"], "503")
		_, answer = r.api(http.MethodGet, "/cloudzero/export", "")
		assert.Contains(t, answer["error"], "503")
		_, page := r.askAs(http.MethodGet, "/", "")
		assert.Contains(t, page, "Last error:")
	})
}
