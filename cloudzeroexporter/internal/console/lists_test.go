package console

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// books are hours from one on, each with so many rows: of as many teams, of
// which each spends a cent more than the one before.
func books(t testing.TB, first string, hours, rows int) *exports {
	t.Helper()
	at, err := billing.ParseHour(first)
	require.NoError(t, err)
	e := &exports{}
	for i := range hours {
		c := ledger.Contents{Summary: ledger.Summary{Hour: at + billing.Hour(i), Revision: 1, Rows: rows}}
		for j := range rows {
			cost, err := billing.ParseAmount(fmt.Sprintf("%d.%02d", (j+1)/100, (j+1)%100))
			require.NoError(t, err)
			row := cbf.Row{
				Dimensions: cbf.Dimensions{Provider: "openai", Model: "gpt-4o", Team: fmt.Sprintf("team-%03d", j)},
				Totals:     cbf.Totals{Cost: cost, Tokens: billing.Tokens{Input: 10, Output: 5}, Requests: 1},
			}
			c.Rows = append(c.Rows, row)
			c.Totals = c.Totals.Add(row.Totals)
		}
		e.contents = append(e.contents, c)
	}
	return e
}

func get(t *testing.T, e *exports, path string) gjson.Result {
	t.Helper()
	w := ask(e, Options{}, http.MethodGet, path, "", nil)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return gjson.Parse(w.Body.String())
}

func texts(r gjson.Result) (all []string) {
	for _, v := range r.Array() {
		all = append(all, v.String())
	}
	return all
}

func TestListsHavePages(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T00:00:00Z", 5, 1200)
	for path, want := range map[string][2]int{
		"hours?":         {5, 5},
		"hours?limit=2":  {2, 5},
		"hours?offset=4": {1, 5},
		"hours?offset=9": {0, 5},
		"hours?from=2026-11-01T01:00:00Z&to=2026-11-01T03:00:00Z": {2, 2},
		"hours/2026-11-01T00:00:00Z/rows?":                        {1000, 1200},
		"hours/2026-11-01T00:00:00Z/rows?offset=1000":             {200, 1200},
		"hours/2026-11-01T00:00:00Z/rows?offset=10&limit=20":      {20, 1200},
		"hours/2026-11-01T00:00:00Z/rows?limit=5000":              {1000, 1200},
		"summary?":                      {1000, 1200},
		"summary?offset=1000":           {200, 1200},
		"summary?group_by=hour&limit=3": {3, 5},
		"summary?group_by=day":          {1, 1},
	} {
		answer := get(t, e, "/cloudzero/"+path)
		list, _, _ := strings.Cut(strings.ReplaceAll(path, "hours/2026-11-01T00:00:00Z/", ""), "?")
		list = map[string]string{"hours": "hours", "rows": "rows", "summary": "groups"}[list]
		total := max(answer.Get("total").Int(), answer.Get("total_groups").Int())
		assert.Equal(t, want, [2]int{len(answer.Get(list).Array()), int(total)}, path)
	}
	w := ask(e, Options{}, http.MethodGet, "/cloudzero/hours/2026-11-01T00:00:00Z/rows?format=csv", "", nil)
	lines, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1201, "a file is not cut")
}

func TestADryRunListsAPartAndSumsUpAll(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T00:00:00Z", 12, 1000)
	for body, want := range map[string][2]string{
		``:                            {"1000", "team-000"},
		`{"limit":20000}`:             {"10000", "team-000"},
		`{"limit":3}`:                 {"3", "team-000"},
		`{"limit":3,"offset":998}`:    {"3", "team-998"},
		`{"offset":11500}`:            {"500", "team-500"},
		`{"offset":11995}`:            {"5", "team-995"},
		`{"offset":12000}`:            {"0", ""},
		`{"limit":2500,"offset":500}`: {"2500", "team-500"},
	} {
		w := ask(e, Options{}, http.MethodPost, "/cloudzero/dry-run", body, nil)
		require.Equal(t, http.StatusOK, w.Code)
		answer := gjson.Parse(w.Body.String())
		assert.Equal(t, want[0], answer.Get("dry_run_data.cbf_data.#").String(), body)
		assert.Equal(t, want[0], answer.Get("dry_run_data.usage_data.#").String(), body)
		assert.Equal(t, want[1], answer.Get("dry_run_data.usage_data.0.team_id").String(), body)
		// 12 times the sum of 0.01 to 10.00
		assert.Equal(t, "60060", answer.Get("summary.total_cost").Raw, body)
		assert.Equal(t, "12000", answer.Get("summary.total_records").Raw, body)
		assert.Equal(t, "1000", answer.Get("summary.unique_accounts").Raw, body)
	}
}

func TestASeriesAddsUp(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T22:00:00Z", 4, 12)
	e.contents = append(e.contents[:1], e.contents[2:]...) // an hour in which nobody called
	answer := get(t, e, "/cloudzero/summary?per=hour")
	assert.Equal(t, []string{"2026-11-01T22:00:00Z", "2026-11-01T23:00:00Z", "2026-11-02T00:00:00Z", "2026-11-02T01:00:00Z"}, texts(answer.Get("times")))
	assert.Equal(t, []string{"team-011", "team-010", "team-009", "team-008", "team-007", "team-006", "team-005", "team-004"}, texts(answer.Get("groups.#.name")))
	assert.Equal(t, []string{"0.12", "0", "0.12", "0.12"}, texts(answer.Get("groups.0.costs")))
	assert.Equal(t, []string{"0.1", "0", "0.1", "0.1"}, texts(answer.Get("rest.costs")))
	assert.Equal(t, "2.34", answer.Get("total_cost").String())

	answer = get(t, e, "/cloudzero/summary?per=day&group_by=provider&limit=1")
	assert.Equal(t, []string{"2026-11-01", "2026-11-02"}, texts(answer.Get("times")))
	assert.Equal(t, []string{"0.78", "1.56"}, texts(answer.Get("groups.0.costs")))
	assert.False(t, answer.Get("rest").Exists())
	assert.Empty(t, get(t, &exports{}, "/cloudzero/summary?per=day").Get("times").Array())

	for path, want := range map[string]string{
		"per=week":             `per: "week" is neither day nor hour`,
		"per=day&group_by=day": "a series is grouped by team, user, model or provider",
		"limit=0":              `limit: "0"`,
		"from=2026-11-02&to=1": `to: "1" is not a time`,
	} {
		w := ask(e, Options{}, http.MethodGet, "/cloudzero/summary?"+path, "", nil)
		assert.Equal(t, http.StatusBadRequest, w.Code)
		assert.Contains(t, gjson.Get(w.Body.String(), "detail.error").String(), want)
	}
	long := books(t, "2026-01-01T00:00:00Z", 1, 1)
	long.contents = append(long.contents, books(t, "2026-11-01T00:00:00Z", 1, 1).contents...)
	w := ask(long, Options{}, http.MethodGet, "/cloudzero/summary?per=hour", "", nil)
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), "choose a shorter range")
}

// TestWhatHasChangedIsAddedUpAnew, and what has not is not.
func TestWhatHasChangedIsAddedUpAnew(t *testing.T) {
	t.Parallel()
	e := books(t, "2026-11-01T00:00:00Z", 2, 3)
	counting := &countingExports{exports: e}
	s := newSums()
	c := console{sums: s}
	total := func() string {
		answer, err := c.spending(t.Context(), counting, question{by: "team", to: forever})
		require.NoError(t, err)
		return answer.all.Cost.String()
	}
	assert.Equal(t, "0.12", total())
	assert.Equal(t, "0.12", total())
	assert.Equal(t, 2, counting.read)
	changed := &e.contents[1]
	changed.Revision++
	changed.Rows = changed.Rows[:1]
	assert.Equal(t, "0.07", total())
	assert.Equal(t, 3, counting.read)
	// Other books have other hours, with the same numbers.
	counting = &countingExports{exports: books(t, "2026-11-01T00:00:00Z", 1, 1)}
	assert.Equal(t, "0.01", total())
	assert.Equal(t, dimensions, s.lines, "what belongs to others was forgotten")
}

// TestHoursAreAddedUpWhenSomebodyLooks: what nobody looks at takes no memory.
func TestHoursAreAddedUpWhenSomebodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &countingExports{exports: books(t, "2026-11-01T00:00:00Z", 3, 2)}
		h := Handler(Options{Current: func() Exports { return e }, Logger: zap.NewNop()})
		go h.Warm(t.Context())
		synctest.Wait()
		assert.Zero(t, e.read)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost:8686/cloudzero/balance", http.NoBody))
		synctest.Wait()
		assert.Equal(t, 3, e.read)
	})
}

type countingExports struct {
	*exports
	read int
}

func (e *countingExports) Contents(ctx context.Context, at billing.Hour) (ledger.Contents, error) {
	e.read++
	return e.exports.Contents(ctx, at)
}
