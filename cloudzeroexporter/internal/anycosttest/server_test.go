package anycosttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const drops = "/v2/connections/billing/anycost/c1/billing_drops"

func rowAt(hour, id, cost string) string {
	return fmt.Sprintf(`{"time/usage_start":"2026-11-%s:00:00Z","resource/id":%q,"cost/cost":%q}`, hour, id, cost)
}

func body(operation string, rows ...string) string {
	return fmt.Sprintf(`{"month":"2026-11","operation":%q,"data":[%s]}`, operation, strings.Join(rows, ","))
}

// request makes a request as a client of the documentation would.
func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "key")
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (s *Server) do(t *testing.T, r *http.Request) (status int, answer string) {
	t.Helper()
	response, err := s.Transport().RoundTrip(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func (s *Server) post(t *testing.T, body string) (status int, answer string) {
	t.Helper()
	return s.do(t, request(http.MethodPost, drops, body))
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.APIKey, cfg.ConnectionID = "key", "c1"
	s := New(cfg)
	t.Cleanup(s.Close)
	return s
}

func held(s *Server) (all []string) {
	for _, r := range s.Rows() {
		all = append(all, r.Hour()[8:13]+" "+r["resource/id"]+" "+r["cost/cost"])
	}
	return all
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	steps := []struct {
		body string
		want []string
	}{
		{body("replace_hourly", rowAt("01T00", "a", "1"), rowAt("01T01", "a", "2")), []string{"01T00 a 1", "01T01 a 2"}},
		{body("replace_hourly", rowAt("01T01", "b", "4")), []string{"01T00 a 1", "01T01 b 4"}},
		{body("sum", rowAt("01T01", "c", "8")), []string{"01T00 a 1", "01T01 b 4", "01T01 c 8"}},
		{body("sum", rowAt("01T01", "c", "8")), []string{"01T00 a 1", "01T01 b 4", "01T01 c 8", "01T01 c 8"}},
		{body("replace_drop", rowAt("02T00", "d", "0.5")), []string{"02T00 d 0.5"}},
		{`{"month":"2026-11","data":[` + rowAt("03T00", "e", "1") + `]}`, []string{"03T00 e 1"}},
	}
	for _, step := range steps {
		status, answer := s.post(t, step.body)
		require.Equal(t, http.StatusOK, status, answer)
		assert.Equal(t, step.want, held(s))
	}
	assert.Equal(t, "1", s.Total())
	assert.Empty(t, s.Violations())
	assert.Len(t, s.Requests(), len(steps))
}

func TestWhatTheDocumentationForbidsFailsLoudly(t *testing.T) {
	t.Parallel()
	good := rowAt("01T00", "a", "1")
	change := func(old, to string) string { return body("replace_hourly", strings.Replace(good, old, to, 1)) }
	for want, text := range map[string]string{
		`row 0: cost/cost is not a string`:                                              change(`"1"`, `1`),
		`row 0: cost/cost "1e-3" is not a plain decimal`:                                change(`"1"`, `"1e-3"`),
		`row 0: cost/cost "-1" is not a plain decimal`:                                  change(`"1"`, `"-1"`),
		`row 0: cost/cost "1,5" is not a plain decimal`:                                 change(`"1"`, `"1,5"`),
		`row 0: cost/cost is missing`:                                                   change(`,"cost/cost":"1"`, ``),
		`row 0: "cost/costs" is not a column`:                                           change(`"cost/cost":"1"`, `"cost/cost":"1","cost/costs":"1"`),
		`row 0: "resource/tag:a b" is not a tag`:                                        change(`"cost/cost"`, `"resource/tag:a b":"x","cost/cost"`),
		`row 0: a tag without resource/id`:                                              change(`"resource/id":"a"`, `"resource/tag:t":"x"`),
		`row 0: lineitem/type is "Cost"`:                                                change(`"cost/cost"`, `"lineitem/type":"Cost","cost/cost"`),
		`row 0: time/usage_start 2026-12-01T00:00:00Z is not in month 2026-11`:          change("2026-11-01", "2026-12-01"),
		`row 0: time/usage_start "2026-11-01T00:30:00Z" is not a full hour in UTC`:      change("T00:00", "T00:30"),
		`row 0: time/usage_start "2026-11-01T00:00:00+01:00" is not a full hour in UTC`: change("00Z", "00+01:00"),
		`operation is "replace"`:                                                        body("replace", good),
		`month is "2026-13"`:                                                            strings.Replace(body("sum", good), `"2026-11"`, `"2026-13"`, 1),
		`json: unknown field "rows"`:                                                    `{"month":"2026-11","rows":[]}`,
		`something follows the body`:                                                    body("sum", good) + "{}",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{})
			status, answer := s.post(t, text)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, answer, `"type":"ValidationError"`)
			assert.Contains(t, s.Violations(), want)
			assert.Empty(t, s.Rows())

			status, answer = s.do(t, request(http.MethodPost, "/v2/connections/billing/anycost/validate_billing_drop", text))
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, answer, `"is_valid":false`)
		})
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	good := body("replace_hourly", rowAt("01T00", "a", "1"))
	for name, c := range map[string]struct {
		change func(*http.Request)
		cfg    Config
		status int
	}{
		"the key":            {status: http.StatusOK},
		"a bearer token":     {change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer key") }, status: http.StatusForbidden},
		"no key":             {change: func(r *http.Request) { r.Header.Del("Authorization") }, status: http.StatusForbidden},
		"another key":        {change: func(r *http.Request) { r.Header.Set("Authorization", "other") }, status: http.StatusForbidden},
		"without the scope":  {cfg: Config{Denied: []Scope{Create}}, status: http.StatusForbidden},
		"another connection": {change: func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "c1", "c2", 1) }, status: http.StatusNotFound},
		"too large":          {cfg: Config{MaxBodyBytes: 50}, status: http.StatusRequestEntityTooLarge},
		"compressed":         {change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, status: http.StatusBadRequest},
		"a month too many":   {cfg: Config{MaxMonthBytes: 50}, status: http.StatusBadRequest},
		"a row too many":     {cfg: Config{MaxMonthRows: -1}, status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.cfg)
			r := request(http.MethodPost, drops, good)
			if c.change != nil {
				c.change(r)
			}
			status, answer := s.do(t, r)
			assert.Equal(t, c.status, status, answer)
			assert.Equal(t, c.status == http.StatusOK, len(s.Rows()) == 1)
		})
	}
}

func TestTheMonthCanBeReadBack(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	s.post(t, body("replace_hourly", rowAt("01T00", "a", "1")))
	status, answer := s.do(t, request(http.MethodGet, drops, ""))
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"billing_drops":[{"drop_id":"drop-2026-11","month":"2026-11-01T00:00:00Z","row_count":1}]}`, answer)
	status, answer = s.do(t, request(http.MethodGet, drops+"/2026-11", ""))
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"billing_drop":[`+rowAt("01T00", "a", "1")+`]}`, answer)
	status, _ = s.do(t, request(http.MethodGet, drops+"/2026-10", ""))
	assert.Equal(t, http.StatusNotFound, status)
}

func TestATagThatChangesItsMindIsAViolation(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for _, team := range []string{"a", "a", "b"} {
		s.post(t, body("replace_hourly", strings.Replace(rowAt("01T00", "r", "1"), `"cost/cost"`, `"resource/tag:team_id":"`+team+`","cost/cost"`, 1)))
	}
	assert.Equal(t, []string{`tag team_id of r was "a" and is "b"`}, s.Violations())
}

func TestFaults(t *testing.T) {
	t.Parallel()
	text := body("sum", rowAt("01T00", "a", "1"))
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		broken := func() {
			t.Helper()
			_, err := s.Transport().RoundTrip(request(http.MethodPost, drops, text))
			require.ErrorIs(t, err, errBroken)
		}
		s.Fail(Fault{Status: 503, Body: "busy", Times: 2, Method: http.MethodPost}, Fault{DropBefore: true}, Fault{DropAfter: true}, Fault{EffectAfter: time.Minute})
		for range 2 {
			status, answer := s.post(t, text)
			assert.Equal(t, 503, status)
			assert.Equal(t, "busy", answer)
		}
		broken()
		assert.Empty(t, s.Rows())
		broken()
		assert.Len(t, s.Rows(), 1)
		broken()
		assert.Len(t, s.Rows(), 1)
		time.Sleep(2 * time.Minute)
		assert.Len(t, s.Rows(), 2)

		s.Fail(Fault{Status: 500, Times: Forever})
		for range 3 {
			status, _ := s.post(t, text)
			assert.Equal(t, 500, status)
		}
		s.Heal()
		status, _ := s.post(t, text)
		assert.Equal(t, http.StatusOK, status)

		s.Fail(Fault{Delay: time.Hour})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := s.Transport().RoundTrip(request(http.MethodPost, drops, text).WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(begin))
	})
}

func TestTwoRequestsAtOnceAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := start(t, Config{})
		s.Fail(Fault{Delay: time.Minute})
		text := body("sum", rowAt("01T00", "a", "1"))
		done := make(chan int)
		go func() {
			status, _ := s.post(t, text)
			done <- status
		}()
		synctest.Wait()
		status, _ := s.post(t, text)
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, http.StatusOK, <-done)
		assert.Equal(t, []string{"a second request at the same time"}, s.Violations())
	})
}

func TestAnIdempotencyKeyReplaysTheAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for range 3 {
		r := request(http.MethodPost, drops, body("sum", rowAt("01T00", "a", "1")))
		r.Header.Set("Cloudzero-Idempotency-Key", "k")
		status, _ := s.do(t, r)
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Len(t, s.Rows(), 1)
}

func TestSumIsExact(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "0.300000000000001", Sum("0.1", "0.2", "0.000000000000001"))
	assert.Equal(t, "100", Sum("99.5", "0.5"))
	assert.Equal(t, "0", Sum())
	assert.Panics(t, func() { Sum("1e3") })
}
