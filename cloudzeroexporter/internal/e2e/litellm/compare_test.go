package litellm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// line is what tells one row of the bill from another.
type line struct{ Hour, Provider, Model, Team, User string }

func (l line) String() string {
	return fmt.Sprintf("%s %s/%s team=%q user=%q", l.Hour, l.Provider, l.Model, l.Team, l.User)
}

// bill is the money by line. Lines without any are left out: they are usage,
// not debt.
type bill map[line]billing.Amount

func (b bill) add(l line, cost billing.Amount) {
	if !cost.IsZero() {
		b[l] = b[l].Add(cost)
	}
}

func (b bill) total() (sum billing.Amount) {
	for _, cost := range b {
		sum = sum.Add(cost)
	}
	return sum
}

// trueBill is what the calls cost, by LiteLLM's own computation.
func trueBill(t *testing.T, calls []call) bill {
	t.Helper()
	b := make(bill)
	for _, c := range calls {
		b.add(c.line(), c.amount(t))
	}
	return b
}

// heldBill is what AnyCost holds. Its rows must be split by team and user.
func heldBill(t *testing.T, rows []anycosttest.Row) bill {
	t.Helper()
	b := make(bill)
	for _, r := range rows {
		cost, err := billing.ParseAmount(r["cost/cost"])
		require.NoError(t, err)
		b.add(line{r.Hour(), r.Tag("provider"), r.Tag("model"), r.Tag("team_id"), r.Tag("user_id")}, cost)
	}
	return b
}

// noHour stands for all hours.
const noHour = "1970-01-01T00:00:00Z"

func (b bill) withoutHours() bill {
	sums := make(bill)
	for l, cost := range b {
		l.Hour = noHour
		sums.add(l, cost)
	}
	return sums
}

func withoutHours(calls []call) []call {
	for i := range calls {
		calls[i].Start = 0
	}
	return calls
}

// difference tells where AnyCost holds anything else than LiteLLM computed, with
// the calls of each such line; "" says that they agree.
func difference(t *testing.T, held bill, calls []call) string {
	t.Helper()
	truth := trueBill(t, calls)
	all := make(map[line]bool)
	for l := range held {
		all[l] = true
	}
	for l := range truth {
		all[l] = true
	}
	var different []line
	for l := range all {
		if held[l] != truth[l] {
			different = append(different, l)
		}
	}
	if len(different) == 0 {
		return ""
	}
	slices.SortFunc(different, func(a, b line) int { return cmp.Compare(a.String(), b.String()) })
	var text strings.Builder
	fmt.Fprintf(&text, "AnyCost holds %s, LiteLLM computed %s; %d of %d lines differ:\n", held.total(), truth.total(), len(different), len(all))
	for _, l := range different {
		fmt.Fprintf(&text, "%s\n  AnyCost %s\n  LiteLLM %s\n", l, held[l], truth[l])
		for _, c := range calls {
			if c.line() == l && !c.zero() {
				fmt.Fprintf(&text, "    %-18s %s %s stream=%t hit=%t tokens=%d+%d as %s\n", c.Cost, c.ID, c.Type, c.Stream, c.CacheHit, c.Input, c.Output, c.Group)
			}
		}
	}
	return text.String()
}
