package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exports answers as it is told.
type exports struct {
	report   shipper.Report
	err      error
	contents []ledger.Contents
	settings Settings
	state    shipper.State
	outcomes Outcomes
	warnings []Warning
	asked    shipper.Request
	given    setup.Credentials
	progress shipper.Progress

	doubt       shipper.Doubt
	settledHour billing.Hour
	tookEffect  bool
}

func (e *exports) Export(_ context.Context, q shipper.Request) (shipper.Report, error) {
	e.asked = q
	return e.report, e.err
}

func (e *exports) Progress() shipper.Progress { return e.progress }

func (e *exports) Check(context.Context) (shipper.Check, error) { return shipper.Check{}, e.err }

func (e *exports) Settle(_ context.Context, at billing.Hour, tookEffect bool) (shipper.Doubt, error) {
	e.settledHour, e.tookEffect = at, tookEffect
	return e.doubt, e.err
}

func (e *exports) State(time.Time) shipper.State { return e.state }

func (e *exports) Choose(shipper.Selection) []ledger.Summary { return e.Hours() }

func (e *exports) Hours() (hours []ledger.Summary) {
	for _, c := range e.contents {
		hours = append(hours, c.Summary)
	}
	return hours
}

func (e *exports) Contents(_ context.Context, at billing.Hour) (ledger.Contents, error) {
	for _, c := range e.contents {
		if c.Hour == at {
			return c, e.err
		}
	}
	return ledger.Contents{}, e.err
}

func (*exports) Due(ledger.Summary) bool { return false }

func (*exports) Rejected() billing.Amount { return billing.Amount{} }

func (e *exports) Settings() Settings {
	s := e.settings
	if s.Timezone == nil {
		s.Timezone = time.UTC
	}
	return s
}

func (e *exports) SetUp(_ context.Context, c setup.Credentials) (billing.Amount, error) {
	e.given = c
	return billing.Amount{}, e.err
}

func (e *exports) Forget(context.Context) error { return e.err }

func (e *exports) Outcomes() Outcomes { return e.outcomes }

func (e *exports) Warnings() []Warning { return e.warnings }

func amount(t *testing.T, s string) billing.Amount {
	t.Helper()
	a, err := billing.ParseAmount(s)
	require.NoError(t, err)
	return a
}

func hour(t *testing.T, s string) billing.Hour {
	t.Helper()
	h, err := billing.ParseHour(s)
	require.NoError(t, err)
	return h
}

func ask(e *exports, o Options, method, path, body string, header http.Header) *httptest.ResponseRecorder {
	o.Logger, o.Current = zap.NewNop(), func() Exports { return e }
	r := httptest.NewRequest(method, "http://localhost:8686"+path, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	Handler(o).ServeHTTP(w, r)
	return w
}

func TestExportAnswers(t *testing.T) {
	t.Parallel()
	posted := []shipper.PostedHour{{Hour: hour(t, "2026-11-24T03:00:00Z"), Rows: 2, Cost: amount(t, "0.300000000000001")}}
	held := []shipper.HeldHour{{Hour: hour(t, "2026-11-24T04:00:00Z"), Rows: 1, Cost: amount(t, "1"), Reason: "row 0: no"}}
	none := []shipper.HeldHour{}
	for name, c := range map[string]struct {
		exports exports
		status  int
		body    string
	}{
		"posted": {
			exports{report: shipper.Report{Posted: posted, Held: none}},
			http.StatusOK,
			`{"message":"CloudZero export completed successfully","status":"success","records_exported":2,"posted":[{"hour":"2026-11-24T03:00:00Z","rows":2,"cost":"0.300000000000001"}],"held":[]}`,
		},
		"held": {
			exports{report: shipper.Report{Posted: posted, Held: held}},
			http.StatusOK,
			`{"message":"CloudZero export completed, but AnyCost refuses the held hours","status":"partial","records_exported":2,
			"posted":[{"hour":"2026-11-24T03:00:00Z","rows":2,"cost":"0.300000000000001"}],
			"held":[{"hour":"2026-11-24T04:00:00Z","rows":1,"cost":"1","reason":"row 0: no"}]}`,
		},
		"stopped half-way": {
			exports{report: shipper.Report{Posted: posted, Held: none}, err: errors.New("503")},
			http.StatusBadGateway,
			`{"message":"CloudZero export stopped; what is not posted stays due","status":"error","detail":{"error":"503"},"records_exported":2,
			"posted":[{"hour":"2026-11-24T03:00:00Z","rows":2,"cost":"0.300000000000001"}],"held":[]}`,
		},
		"a dry run": {
			exports{err: shipper.ErrDryRun},
			http.StatusConflict,
			`{"detail":{"error":"this is a dry run (dry_run: true): nothing is posted"}}`,
		},
		"shutting down": {
			exports{err: shipper.ErrStopped}, http.StatusServiceUnavailable, `{"detail":{"error":"the exporter is shutting down, or another connection is being set up"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ask(&c.exports, Options{}, http.MethodPost, "/cloudzero/export", "{}", nil)
			assert.Equal(t, c.status, w.Code)
			assert.JSONEq(t, c.body, w.Body.String())
			assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
		})
	}
}

func TestDryRunShowsTheVeryRows(t *testing.T) {
	t.Parallel()
	at := hour(t, "2026-11-24T03:00:00Z")
	row := cbf.Row{
		Dimensions: cbf.Dimensions{Provider: "openai", Model: "gpt-4o", Team: "team-1"},
		Totals:     cbf.Totals{Cost: amount(t, "0.1"), Tokens: billing.Tokens{Input: 100, Output: 50}, Requests: 3},
	}
	other := row
	other.Team, other.Cost = "team-2", amount(t, "0.2")
	contents := ledger.Contents{Summary: ledger.Summary{Hour: at, Rows: 2, Totals: row.Add(other.Totals)}, Rows: []cbf.Row{row, other}}
	w := ask(&exports{contents: []ledger.Contents{contents}}, Options{}, http.MethodPost, "/cloudzero/dry-run", "", nil)
	assert.Equal(t, http.StatusOK, w.Code)
	rows := string(cbf.Format{}.AppendJSON(nil, at, row)) + "," + string(cbf.Format{}.AppendJSON(nil, at, other))
	assert.JSONEq(t, `{"message":"CloudZero dry run export completed successfully.","status":"success","dry_run_data":{
		"usage_data":[
			{"hour":"2026-11-24T03:00:00Z","custom_llm_provider":"openai","model":"gpt-4o","team_id":"team-1","spend":0.1,"api_requests":3,"prompt_tokens":100,"completion_tokens":50},
			{"hour":"2026-11-24T03:00:00Z","custom_llm_provider":"openai","model":"gpt-4o","team_id":"team-2","spend":0.2,"api_requests":3,"prompt_tokens":100,"completion_tokens":50}],
		"cbf_data":[`+rows+`],
		"summary":{"total_cost":0.3,"total_tokens":300,"total_records":2,"unique_accounts":2,"unique_services":1}},
		"summary":{"total_cost":0.3,"total_tokens":300,"total_records":2,"unique_accounts":2,"unique_services":1}}`, w.Body.String())
	assert.Contains(t, w.Body.String(), `"total_cost":0.3,`, "all digits, and no others")

	w = ask(&exports{}, Options{}, http.MethodPost, "/cloudzero/dry-run", "", nil)
	assert.Contains(t, w.Body.String(), `"usage_data":[],"cbf_data":[]`)
	w = ask(&exports{contents: []ledger.Contents{contents}, err: errors.New("disk")}, Options{}, http.MethodPost, "/cloudzero/dry-run", "", nil)
	assert.Equal(t, http.StatusInternalServerError, w.Code)
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	token, local := Options{Token: "secret"}, Options{Loopback: true}
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for name, c := range map[string]struct {
		options Options
		header  http.Header
		method  string
		body    string
		status  int
	}{
		"anybody on this machine":       {options: local, status: http.StatusOK},
		"by another loopback name":      {options: local, header: header("Host", "127.0.0.1:8686"), status: http.StatusOK},
		"by a foreign name":             {options: local, header: header("Host", "evil.example.com"), status: http.StatusForbidden},
		"a page of another site":        {options: local, header: header("Sec-Fetch-Site", "cross-site"), status: http.StatusForbidden},
		"a page of another origin":      {options: local, header: header("Origin", "https://evil.example.com"), status: http.StatusForbidden},
		"the console's own page":        {options: local, header: header("Sec-Fetch-Site", "same-origin"), status: http.StatusOK},
		"with the token":                {options: token, header: header("Authorization", "Bearer secret"), status: http.StatusOK},
		"without the token":             {options: token, status: http.StatusUnauthorized},
		"with another token":            {options: token, header: header("Authorization", "Bearer wrong"), status: http.StatusUnauthorized},
		"with the token in another way": {options: token, header: header("Authorization", "secret"), status: http.StatusUnauthorized},
		"by PATCH":                      {options: local, method: http.MethodPatch, status: http.StatusMethodNotAllowed},
		"with unknown fields":           {options: local, body: `{"limits": 1}`, status: http.StatusBadRequest},
		"with half a body":              {options: local, body: `{`, status: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			for _, path := range []string{"/cloudzero/export", "/cloudzero/dry-run"} {
				w := ask(&exports{}, c.options, method, path, c.body, c.header)
				assert.Equal(t, c.status, w.Code, "%s: %s", path, w.Body)
			}
		})
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"localhost:8686": true, "127.0.0.1:1": true, "[::1]:1": true, "localhost": true, "::1": true,
		"0.0.0.0:8686": false, ":8686": false, "[::]:1": false, "example.com:1": false, "localhost.example.com": false, "": false,
	} {
		assert.Equal(t, want, IsLoopback(address), address)
	}
}
