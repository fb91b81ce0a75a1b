package litellm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// These need no LiteLLM: they show that the others can fail.

func TestADifferenceNamesTheCallsOfItsLine(t *testing.T) {
	t.Parallel()
	calls := []call{
		{ID: "a", Cost: "0.0005680500000000001", Start: 1795489201, Provider: "openai", Model: "openai/gpt-4o", Team: "t", User: "u"},
		{ID: "b", Cost: "1e-15", Start: 1795489202, Provider: "openai", Model: "openai/gpt-4o", Team: "t", User: "u"},
		{ID: "free", Cost: "0.0", Start: 1795489203, Provider: "openai", Model: "openai/gpt-4o", Team: "t", User: "u"},
		{ID: "other", Cost: "2", Start: 1795489204, Provider: "openai", Model: "openai/gpt-4o", Team: "t", User: "v"},
	}
	row := func(cost, user string) anycosttest.Row {
		return anycosttest.Row{
			"time/usage_start": "2026-11-24T03:00:00Z", "cost/cost": cost, "resource/tag:provider": "openai",
			"resource/tag:model": "gpt-4o", "resource/tag:team_id": "t", "resource/tag:user_id": user,
		}
	}
	assert.Empty(t, difference(t, heldBill(t, []anycosttest.Row{row("0.000568050000001", "u"), row("2", "v")}), calls))

	told := difference(t, heldBill(t, []anycosttest.Row{row("0.00056805", "u"), row("2", "v")}), calls)
	assert.Contains(t, told, "AnyCost holds 2.00056805, LiteLLM computed 2.000568050000001; 1 of 2 lines differ")
	assert.Contains(t, told, `2026-11-24T03:00:00Z openai/gpt-4o team="t" user="u"`)
	assert.Contains(t, told, " a ")
	assert.Contains(t, told, " b ")
	assert.NotContains(t, told, "free")
	assert.NotContains(t, told, "other")

	assert.NotEmpty(t, difference(t, heldBill(t, nil), calls), "rows that are missing")
	assert.NotEmpty(t, difference(t, heldBill(t, []anycosttest.Row{row("2", "v")}), nil), "rows that should not be")
}

func TestRequestsWithoutAnAnswerArriveWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := sent{acknowledged: map[string]bool{"a": true}, uncertain: [][]string{{"b", "c"}, {"d"}}}
	var truths []string
	for _, calls := range s.possible([]call{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "never sent"}}) {
		var ids strings.Builder
		for _, c := range calls {
			ids.WriteString(c.ID)
		}
		truths = append(truths, ids.String())
	}
	assert.ElementsMatch(t, []string{"a", "abc", "ad", "abcd"}, truths)
}
