package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
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
