package usage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// TestATextThatIsCutOffIsNotBelieved: a limit on the length of attributes cuts
// LiteLLM's hidden parameters anywhere, of all calls at the same place. What is
// left of a price is no price, and the beginning of one is no 0.
func TestATextThatIsCutOffIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{
		`{"model_id": "m", "cache_key": null, "response_cost": 0.00207, "additional_headers": {"a": "b"}}`,
		`{"model_id": "m", "cache_key": null, "response_cost": "0.00207", "additional_headers": {"a": "b"}}`,
		`{"model_id": "m", "cache_key": null, "response_cost": 2.07e-03, "additional_headers": {"a": "b"}}`,
	} {
		for end := range len(hidden) {
			cut := hidden[:end]
			all, _ := records(spans(t,
				first1.with(attributes{"hidden_params": cut, "gen_ai.cost.total_cost": 0.00207}),
				first1.with(attributes{"hidden_params": cut, "gen_ai.cost.total_cost": nil}),
			))
			require.Len(t, all, 2)
			assert.Equal(t, billing.Billed, all[0].Outcome, "the cost is told elsewhere: %s", cut)
			assert.Equal(t, "0.00207", all[0].Cost.String(), cut)
			if all[1].Outcome == billing.Billed {
				assert.Equal(t, "0.00207", all[1].Cost.String(), cut)
			} else {
				assert.Equal(t, billing.Unpriced, all[1].Outcome, cut)
			}
		}
	}
}

// TestCountsInALongTextAreFoundInOnePass: a text of a few megabytes, which a
// request can have, must not keep a processor busy for minutes.
func TestCountsInALongTextAreFoundInOnePass(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("'cache", 500_000)
	assert.Zero(t, cacheCountsIn(text))
	assert.Equal(t, cacheCounts{read: 12}, cacheCountsIn(text+"'cached_tokens': 12}"))
}
