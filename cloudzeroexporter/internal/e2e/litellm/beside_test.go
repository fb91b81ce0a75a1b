package litellm

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// result is what an exporter delivered.
type result struct {
	total billing.Amount
	hours int
	rows  int
}

func resultOf(t *testing.T, anycost *anycosttest.Server) result {
	t.Helper()
	hours := make(map[string]bool)
	var r result
	for _, row := range anycost.Rows() {
		cost, err := billing.ParseAmount(row["cost/cost"])
		require.NoError(t, err)
		r.total = r.total.Add(cost)
		r.rows++
		hours[row.Hour()] = true
	}
	r.hours = len(hours)
	return r
}

// scenario is a day of rounds, one after each hour.
type scenario struct {
	name   string
	busy   []int // the hours with calls
	export string
	body   int // the largest body that AnyCost takes; 0 means what it documents
	fault  anycosttest.Fault
	rounds int // with the fault
}

// TestBesideLiteLLMsOwn gives the same calls to LiteLLM's own CloudZero
// integration and to the built distribution, and prints a table of what each
// delivers. The README has it.
func TestBesideLiteLLMsOwn(t *testing.T) {
	t.Parallel()
	venvs(t)
	if os.Getenv("LITELLM_COMPARE") == "" {
		t.Skip("`make compare-litellm` runs it")
	}
	calls, spans := liveDay(t)
	all := make([]int, 24)
	for h := range all {
		all[h] = h
	}
	nine := []int{9}
	var table strings.Builder
	fmt.Fprintf(&table, "| | LiteLLM %s | hours | rows | otelcol-cloudzero | hours | rows |\n|---|---|---|---|---|---|---|\n", newest)
	for _, sc := range []scenario{
		{name: "a day, posted every hour", busy: all, export: "hourly"},
		{name: "a day, exported once at its end", busy: all, export: "all"},
		{name: "an hour's calls; nothing goes wrong", busy: nine, export: "hourly"},
		{name: "… 429 in one round", busy: nine, export: "hourly", rounds: 1, fault: anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, Times: anycosttest.Forever}},
		{name: "… 429 in three rounds", busy: nine, export: "hourly", rounds: 3, fault: anycosttest.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, Times: anycosttest.Forever}},
		{name: "… 500 in three rounds", busy: nine, export: "hourly", rounds: 3, fault: anycosttest.Fault{Method: http.MethodPost, Status: http.StatusInternalServerError, Times: anycosttest.Forever}},
		{name: "… no answer in three rounds", busy: nine, export: "hourly", rounds: 3, fault: anycosttest.Fault{Method: http.MethodPost, DropBefore: true, Times: anycosttest.Forever}},
		{name: "… more rows than fit into a body (413)", busy: nine, export: "hourly", body: 20_000},
	} {
		moved := move(calls, spans, func(r *rand.Rand) int { return sc.busy[r.IntN(len(sc.busy))] })
		truth := trueBill(t, moved.all())
		theirs, rows := sc.theirs(t, moved)
		ours := sc.ours(t, moved)
		fmt.Fprintf(&table, "| %s | %s of %s | %d | %d of %d | %s | %d | %d |\n", sc.name,
			theirs.total, truth.total(), theirs.hours, theirs.rows, rows, ours.total, ours.hours, ours.rows)
	}
	t.Logf("%d calls\n%s", len(calls), table.String())
}

// theirs has LiteLLM's integration live through the day, and says what it
// delivered and how many rows it had.
func (sc scenario) theirs(t *testing.T, d *day) (result, int) {
	t.Helper()
	o := newOwn(t, anycosttest.Config{MaxBodyBytes: sc.body})
	left := sc.rounds
	for h := range 24 {
		end := d.start.Add(time.Duration(h+1) * time.Hour)
		if calls := d.calls[h]; len(calls) > 0 {
			require.Empty(t, o.ask(map[string]any{"calls": calls, "at": end.Add(-time.Minute).Unix()}))
		}
		if sc.export == "all" && h < 23 {
			continue
		}
		left = disturb(o.anycost, sc, left, len(d.calls[h]) > 0)
		failure := o.ask(map[string]any{"export": sc.export, "at": end.Unix()})
		if failure != "" {
			t.Logf("%s, round %d: LiteLLM: %s", sc.name, h, failure)
		}
	}
	return resultOf(t, o.anycost), o.rows
}

// ours has the built distribution live through the day. Its rounds are asked
// for, because the day is over in seconds.
func (sc scenario) ours(t *testing.T, d *day) result {
	t.Helper()
	s := newStationWith(t, collectorYAML, anycosttest.Config{MaxBodyBytes: sc.body})
	c := s.start()
	left := sc.rounds
	for h := range 24 {
		if d.spans[h].SpanCount() > 0 {
			require.NoError(t, c.Send(t.Context(), d.spans[h]))
		}
		if sc.export == "all" && h < 23 {
			continue
		}
		left = disturb(s.anycost, sc, left, len(d.calls[h]) > 0)
		if _, err := c.Export(t.Context()); err != nil {
			t.Logf("%s, round %d: otelcol-cloudzero: %v", sc.name, h, err)
		}
	}
	assert.Empty(t, difference(t, heldBill(t, s.anycost.Rows()), d.all()), sc.name)
	assert.Empty(t, s.anycost.Violations(), sc.name)
	stopCollector(t, c)
	return resultOf(t, s.anycost)
}

// disturb begins the scenario's fault with the first round that has something to
// post, and ends it when its rounds are over. It returns how many are left.
func disturb(anycost *anycosttest.Server, sc scenario, left int, begins bool) int {
	anycost.Heal()
	if left == 0 || left == sc.rounds && !begins {
		return left
	}
	anycost.Fail(sc.fault)
	return left - 1
}
