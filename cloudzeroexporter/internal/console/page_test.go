package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	w := ask(&exports{}, Options{Loopback: true}, http.MethodGet, "/", "", nil)
	require.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	assert.NotContains(t, w.Body.String(), "//", "no address of another site")
	for _, file := range []string{"/static/page.css", "/static/page.js", "/static/chart.js", "/static/uplot/uPlot.iife.min.js", "/static/uplot/LICENSE"} {
		assert.Equal(t, http.StatusOK, ask(&exports{}, Options{Loopback: true}, http.MethodGet, file, "", nil).Code)
	}
	assert.Equal(t, http.StatusNotFound, ask(&exports{}, Options{Loopback: true}, http.MethodGet, "/static/page.html", "", nil).Code)
}

func TestLoggingIn(t *testing.T) {
	t.Parallel()
	h := Handler(Options{Token: "secret", Logger: zap.NewNop(), Current: func() Exports { return &exports{} }})
	do := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	login := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return do(r)
	}
	w := do(httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Contains(t, w.Body.String(), `type="password"`)
	assert.NotContains(t, w.Body.String(), "Do the books balance")

	w = login("wrong")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Contains(t, w.Body.String(), "This is not the token.")
	assert.Empty(t, w.Result().Cookies())

	w = login("secret")
	assert.Equal(t, http.StatusSeeOther, w.Code)
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	assert.True(t, cookies[0].HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, cookies[0].SameSite)
	assert.NotContains(t, cookies[0].Value, "secret")
	for value, status := range map[string]int{cookies[0].Value: http.StatusOK, "0" + cookies[0].Value[1:] + "0": http.StatusUnauthorized} {
		r := httptest.NewRequest(http.MethodPost, "/cloudzero/export", http.NoBody)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: value})
		assert.Equal(t, status, do(r).Code)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		assert.NotEqual(t, http.StatusOK, do(r).Code, "a cookie is worth nothing to another site")
	}
}

func TestThePageShowsWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T00:00:00Z", 30, 2)
	e.contents[3].Rows[0].Unpriced, e.contents[3].Rows[0].UnpricedTokens = 2, 15
	e.contents[3].Totals.Unpriced, e.contents[3].Totals.UnpricedTokens = 2, 15
	e.contents[29].Rows[1].Model, e.contents[29].Rows[1].Cost = "llama", billing.Amount{}
	e.warnings = []Warning{{What: "Calls without a <span>.", Advice: "Set LITELLM_OTEL_V2.", Since: hour(t, "2026-11-01T00:00:00Z").Start(), Count: 7}}
	e.state.Held = []shipper.HeldHour{{Hour: hour(t, "2026-11-01T02:00:00Z"), Rows: 3, Cost: amount(t, "0.5"), Reason: "the name"}}
	e.outcomes.Spans[billing.Ignored] = Outcome{Spans: 12}
	e.outcomes.Points[billing.PointExcess] = 34
	e.progress = shipper.Progress{Since: time.Now(), Hours: 9, Posted: 4}
	e.settings = Settings{Source: GivenHere, Changeable: true, Problem: setup.ErrSealed, Others: []string{"old"}}
	body := ask(e, Options{Token: ""}, http.MethodGet, "/?hour=2026-11-01T03:00:00Z&hours=24", "", nil).Body.String()
	for _, want := range []string{
		"<b>Calls without a &lt;span&gt;.</b> Set LITELLM_OTEL_V2.", "seen 7 times now", `Since <time datetime="2026-11-01T00:00:00Z"`,
		"openai/gpt-4o</th><td class=\"n\">2</td><td class=\"n\">15</td>", "the name", "<td class=\"n\">12</td>", "<td class=\"n\">34</td>", "Raise it.", "An export runs: 4 of 9 hours",
		"openai/llama</th><td class=\"n\">1</td><td class=\"n\">15</td>",
		"Books of other connections are kept beside these: <b>old</b>", "token has changed", "25 to 30 of 30", "all 2 rows",
		`id="forget"`, `href="?hour=2026-11-01T02%3A00%3A00Z&amp;hours=24&amp;rows=0#rows"`,
	} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, body, "style=", "the policy forbids it")
	assert.NotContains(t, body, "onclick")
}

// TestNamesOfACallersMakingDoNotFillThePage: anybody can ask for any model.
func TestNamesOfACallersMakingDoNotFillThePage(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T22:00:00Z", 1, 250)
	for i := range e.contents[0].Rows {
		e.contents[0].Rows[i].Model = fmt.Sprintf("model-%03d", i)
		e.contents[0].Rows[i].Cost = billing.Amount{}
	}
	body := ask(e, Options{}, http.MethodGet, "/", "", nil).Body.String()
	assert.Contains(t, body, "openai/model-099</th>")
	assert.NotContains(t, body, "model-100")
	assert.Contains(t, body, "and 150 more")
}

// TestTimesAreThoseOfTheZone, with UTC on hover; days are the zone's, too.
func TestTimesAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T22:00:00Z", 2, 1)
	var err error
	e.settings.Timezone, err = time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	body := ask(e, Options{}, http.MethodGet, "/?per=hour&hour=2026-11-01T23:00:00Z", "", nil).Body.String()
	const shown = `<time datetime="2026-11-01T23:00:00Z" title="2026-11-01 23:00 UTC">2026-11-02 00:00</time>`
	assert.Contains(t, body, "times in Europe/Berlin")
	assert.Contains(t, body, `<th scope="row">`+shown+`</th>`, "of an hour")
	assert.Contains(t, body, "Rows of "+shown)
	assert.Contains(t, body, `<th scope="row">2026-11-02 00:00</th>`, "of the chart")
	assert.Equal(t, []string{"2026-11-01", "2026-11-02"}, texts(get(t, e, "/cloudzero/summary?group_by=day").Get("groups.#.name")))
}
