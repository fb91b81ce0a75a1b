package anycost

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

var november = billing.MonthOf(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))

func drop() *Drop {
	d := NewDrop(november, ReplaceHourly)
	d.Add(2, []byte(`{"a":"1"},{"a":"2"}`))
	d.Add(1, []byte(`{"a":"3"}`))
	return d
}

func client(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(server.Client(), server.URL+"/base/", "conn-1", "the-key", "otelcol-cloudzero/0.1.0")
	require.NoError(t, err)
	return c
}

func TestPostSendsWhatAnyCostAsksFor(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "POST /base/v2/connections/billing/anycost/conn-1/billing_drops", r.Method+" "+r.URL.String())
		assert.Equal(t, []string{"the-key"}, r.Header["Authorization"])
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "otelcol-cloudzero/0.1.0", r.Header.Get("User-Agent"))
		assert.Empty(t, r.Header.Get("Content-Encoding"))
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.JSONEq(t, `{"month":"2026-11","operation":"replace_hourly","data":[{"a":"1"},{"a":"2"},{"a":"3"}]}`, string(body))
		_, _ = io.WriteString(w, `{"connection":{"drop_id":"d-1","month":"2026-11-01T00:00:00Z","row_count":3}}`)
	})
	d := drop()
	for range 2 { // a drop can be posted again
		got, err := c.Post(t.Context(), d)
		require.NoError(t, err)
		assert.Equal(t, Receipt{DropID: "d-1", RowCount: 3}, got)
	}
	assert.Equal(t, 3, d.Rows())
	assert.Equal(t, len(`{"month":"2026-11","operation":"replace_hourly","data":[{"a":"1"},{"a":"2"},{"a":"3"}]}`), d.Bytes())
}

func TestAnswersBecomeClasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status           int
		header, body     string
		class            Class
		message          string
		after            time.Duration
		unreadableAnswer bool
	}{
		{status: 400, body: `{"error":{"message":"bad row","type":"ValidationError"}}`, class: Refused, message: "ValidationError: bad row"},
		{status: 400, body: `{"error":{"message":"bad row"}}`, class: Refused, message: "bad row"},
		{status: 401, class: Forbidden},
		{status: 403, body: `{"message":"Forbidden"}`, class: Forbidden, message: "Forbidden"},
		{status: 404, body: `{"message":"no such connection"}`, class: NotFound, message: "no such connection"},
		{status: 413, body: `{"message":"Request Too Long"}`, class: TooLarge, message: "Request Too Long"},
		{status: 429, header: "7", class: Unavailable, after: 7 * time.Second},
		{status: 429, header: "999999", class: Unavailable, after: time.Hour},
		{status: 429, header: "-3", class: Unavailable},
		{status: 503, header: "Mon, 02 Jan 2006 15:04:05 GMT", class: Unavailable},
		{status: 500, body: "<html>\n oops", class: Unavailable, message: "<html> oops"},
		{status: 302, class: Unavailable},
		{status: 201, class: Unavailable},
		{status: 418, class: Unavailable},
		{status: 500, body: strings.Repeat("é", 400), class: Unavailable, message: strings.Repeat("é", 250) + "…"},
		{status: 200, body: "<html>sign in to the hotel's network", class: Lost, unreadableAnswer: true},
		{status: 200, body: `{}`, class: Lost, unreadableAnswer: true},
		{status: 200, body: `{"connection":`, class: Lost, unreadableAnswer: true},
	} {
		posted := client(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		_, err := posted.Post(t.Context(), drop())
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, c.class, e.Class, "%d %s", c.status, c.body)
		assert.Equal(t, c.status, e.Status)
		assert.Equal(t, c.message, e.Message)
		assert.Equal(t, c.after, e.RetryAfter)
		assert.Equal(t, c.status < 400 || c.status >= 500, e.Effect(), c.status)
		assert.Equal(t, c.unreadableAnswer, e.Err != nil)
		assert.NotContains(t, err.Error(), "the-key")
		assert.Contains(t, err.Error(), "/v2/connections/billing/anycost/conn-1/billing_drops: ")
	}
}

func TestAConnectionThatBreaksIsALostAnswer(t *testing.T) {
	t.Parallel()
	c := client(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := c.Post(t.Context(), drop())
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Lost, e.Class)
	assert.ErrorIs(t, err, io.EOF)
}

func TestAnAnswerThatEndsInTheMiddleIsLost(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"connection":`)
	})
	_, err := c.Post(t.Context(), drop())
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Lost, e.Class)
}

func TestAConnectionThatNeverStoodTookNoEffect(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	c, err := New(http.DefaultClient, address, "conn-1", "the-key", "")
	require.NoError(t, err)
	_, err = c.Post(t.Context(), drop())
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Unavailable, e.Class)
	assert.False(t, e.Effect())
	assert.Regexp(t, `^POST http://127\.0\.0\.1:\d+/v2/connections/billing/anycost/conn-1/billing_drops: no answer: dial tcp .*; it is tried again$`, err.Error())
}

func TestUserAndPasswordOfTheEndpointAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := New(&http.Client{Transport: refuser{}}, "https://user:secret@api.example.com", "conn-1", "the-key", "")
	require.NoError(t, err)
	_, err = c.Post(t.Context(), drop())
	require.ErrorIs(t, err, errRefused)
	assert.NotContains(t, err.Error(), "secret")
}

var errRefused = errors.New("refused")

type refuser struct{}

func (refuser) RoundTrip(*http.Request) (*http.Response, error) { return nil, errRefused }
