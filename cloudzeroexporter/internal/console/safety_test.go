package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
)

// requests are one of each kind, with bodies that are fine.
var requests = [][3]string{
	{http.MethodGet, "/", ""},
	{http.MethodPost, "/cloudzero/dry-run", "{}"},
	{http.MethodPost, "/cloudzero/export", "{}"},
	{http.MethodGet, "/cloudzero/export", ""},
	{http.MethodPost, "/cloudzero/test", "{}"},
	{http.MethodGet, "/cloudzero/settings", ""},
	{http.MethodPut, "/cloudzero/settings", "{}"},
	{http.MethodPost, "/cloudzero/init", "{}"},
	{http.MethodDelete, "/cloudzero/settings", ""},
	{http.MethodDelete, "/cloudzero/delete", ""},
	{http.MethodGet, "/cloudzero/hours", ""},
	{http.MethodGet, "/cloudzero/hours/2026-11-01T00:00:00Z/rows", ""},
	{http.MethodGet, "/cloudzero/hours/2026-11-01T00:00:00Z/rows?format=csv", ""},
	{http.MethodPost, "/cloudzero/hours/2026-11-01T00:00:00Z/doubt", `{"took_effect":true}`},
	{http.MethodGet, "/cloudzero/summary", ""},
	{http.MethodGet, "/cloudzero/balance", ""},
	{http.MethodGet, "/cloudzero/outcomes", ""},
}

func TestEveryAnswerIsGuardedAndHasNoSecret(t *testing.T) {
	t.Parallel()
	const key = "a-key-that-must-not-be-shown"
	e := books(t, "2026-11-01T00:00:00Z", 2, 2)
	e.settings = Settings{Credentials: setup.Credentials{APIKey: key, ConnectionID: "c"}, Source: GivenHere, Changeable: true}
	bearer := http.Header{"Authorization": {"Bearer console-token"}}
	for _, r := range requests {
		for _, header := range []http.Header{bearer, nil} {
			w := ask(e, Options{Token: "console-token"}, r[0], r[1], r[2], header)
			if header == nil {
				assert.Equal(t, http.StatusUnauthorized, w.Code, r)
				if r[1] != "/" {
					assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), "Authorization: Bearer")
				}
			} else {
				assert.Equal(t, http.StatusOK, w.Code, r)
			}
			assert.NotContains(t, w.Body.String(), key, r)
			assert.NotContains(t, w.Body.String(), "console-token", r)
			h := w.Header()
			policy := h.Get("Content-Security-Policy")
			assert.True(t, strings.HasPrefix(policy, "default-src 'none';"), policy)
			assert.NotContains(t, policy, "unsafe")
			assert.Contains(t, policy, "frame-ancestors 'none'")
			assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			assert.Equal(t, "no-store", h.Get("Cache-Control"))
			assert.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			assert.Empty(t, h.Get("Access-Control-Allow-Origin"))
		}
	}
}

func TestChangesFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	for _, r := range requests {
		if r[0] == http.MethodGet {
			continue
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"} {
			w := ask(&exports{}, Options{Loopback: true}, r[0], r[1], r[2], http.Header{name: {value}})
			assert.Equal(t, http.StatusForbidden, w.Code, r)
			assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), "other sites")
		}
		w := ask(&exports{}, Options{Loopback: true}, r[0], r[1], r[2], http.Header{"Sec-Fetch-Site": {"same-site"}})
		assert.Equal(t, http.StatusForbidden, w.Code, "another port of this machine is another origin")
	}
	for _, r := range requests {
		w := ask(&exports{}, Options{Loopback: true}, r[0], r[1], r[2], http.Header{"Host": {"rebound.example.com:8686"}})
		assert.Equal(t, http.StatusForbidden, w.Code, r)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := ask(&exports{}, Options{}, http.MethodGet, "/cloudzero/nothing", "", nil)
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), "there is no /cloudzero/nothing")
	w = ask(&exports{}, Options{}, http.MethodPatch, "/cloudzero/settings", "", nil)
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
	assert.Equal(t, "DELETE, GET, PUT", w.Header().Get("Allow"))
	assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), "use DELETE or GET or PUT")
	assert.Equal(t, http.StatusNotFound, ask(&exports{}, Options{}, http.MethodGet, "/static/nothing.js", "", nil).Code)
}

func TestBodiesAreBoundedAndNamed(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"limit":"5"}`:            "limit: expected a whole number, not a JSON string",
		`{"limit":1.5}`:            "limit: expected a whole number, not a JSON number 1.5",
		`{"start_time_utc":5}`:     "start_time_utc: expected a text, not a JSON number",
		`{"verify":"yes"}`:         "verify: expected true or false, not a JSON string",
		`{"confirm_months":"all"}`: "confirm_months: expected a list of texts, not a JSON string",
		`{"confirm_months":["x"]}`: `confirm_months: "x" is not a month such as 2026-11`,
		`{"limits":5}`:             `unknown field "limits"`,
		`{"limit":5}{"limit":6}`:   "there is more behind the JSON object",
		`limit=5`:                  "the body is not JSON",
		`{"limit":`:                "the body is not JSON",
		`5`:                        "the body is not a JSON object",
	} {
		w := ask(&exports{}, Options{}, http.MethodPost, "/cloudzero/export", body, nil)
		assert.Equal(t, http.StatusBadRequest, w.Code, body)
		assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), want)
	}
	large := `{"start_time_utc":"` + strings.Repeat("2", maxBodyBytes) + `"}`
	w := ask(&exports{}, Options{}, http.MethodPost, "/cloudzero/export", large, nil)
	assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	w = ask(&exports{}, Options{Token: "t"}, http.MethodPost, "/login", "token="+strings.Repeat("t", maxBodyBytes),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	assert.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &exports{}
		h := Handler(Options{Token: "secret", Logger: zap.NewNop(), Current: func() Exports { return e }})
		do := func(method, path, body string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range cookies {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		cookies := do(http.MethodPost, "/login", "token=secret").Result().Cookies()
		require.Len(t, cookies, 1)
		time.Sleep(sessionLife - time.Second)
		assert.Equal(t, http.StatusOK, do(http.MethodGet, "/", "", cookies...).Code)
		later := *cookies[0]
		_, mac, _ := strings.Cut(later.Value, ".")
		later.Value = "99999999999." + mac // nobody lengthens a session
		assert.Equal(t, http.StatusUnauthorized, do(http.MethodGet, "/", "", &later).Code)
		time.Sleep(time.Second)
		assert.Equal(t, http.StatusUnauthorized, do(http.MethodGet, "/", "", cookies...).Code)

		w := do(http.MethodPost, "/logout", "", cookies...)
		assert.Equal(t, http.StatusSeeOther, w.Code)
		assert.Negative(t, w.Result().Cookies()[0].MaxAge)
	})
}
