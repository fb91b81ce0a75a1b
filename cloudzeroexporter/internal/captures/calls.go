package captures

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Call is a span of a model call, and what LiteLLM says that it cost.
type Call struct {
	Span ptrace.Span
	Cost billing.Amount
}

// The attributes of a call that a load varies, in LiteLLM's two dialects.
const (
	ModelKey  = "litellm.provider.model"
	AnswerKey = "gen_ai.response.id"
)

// TeamKeys and UserKeys are who pays; a span has one of each.
var (
	TeamKeys = []string{"litellm.team.id", "metadata.user_api_key_team_id"}
	UserKeys = []string{"litellm.metadata.user_api_key_user_id", "metadata.user_api_key_user_id"}

	teamNameKeys = []string{"litellm.team.alias", "metadata.user_api_key_team_alias"}
)

// Calls sorts the capture's spans into calls that cost money, and spans that are
// no calls. It goes by the facts that LiteLLM documents and not by the
// exporter's reader, so that it can be held against that. Calls that cost
// nothing are neither: failures, cache hits, models without a price; and so are
// those that lack a model, team or user to vary.
func (c *Capture) Calls() (calls []Call, others []ptrace.Span, err error) {
	for _, td := range c.Requests {
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					call, is, err := callOf(span)
					switch {
					case err != nil:
						return nil, nil, fmt.Errorf("span %q: %w", span.Name(), err)
					case !is:
						others = append(others, span)
					case !call.Cost.IsZero():
						calls = append(calls, call)
					}
				}
			}
		}
	}
	if len(calls) == 0 || len(others) == 0 {
		return nil, nil, fmt.Errorf("the capture has %d calls with a cost and %d other spans; take one with both", len(calls), len(others))
	}
	return calls, others, nil
}

// callOf says whether a span is a call. One that is not to be used has no cost.
func callOf(span ptrace.Span) (call Call, is bool, err error) {
	a := span.Attributes()
	hidden, first := a.Get("hidden_params")
	_, second := a.Get("litellm.cost.total")
	if !first && !second {
		return call, false, nil
	}
	call.Span = span
	if span.Status().Code() == ptrace.StatusCodeError ||
		first && gjson.Get(hidden.Str(), "cache_key").String() != "" ||
		!has(a, ModelKey) || !has(a, TeamKeys...) || !has(a, UserKeys...) {
		return call, true, nil
	}
	nameTeam(a)
	call.Cost, err = billing.AmountOf(costOf(a))
	return call, true, err
}

// nameTeam gives all teams one name: a load varies the teams, and a team's name
// does not change from one of its calls to the next.
func nameTeam(a pcommon.Map) {
	for _, key := range teamNameKeys {
		if name, ok := a.Get(key); ok {
			name.SetStr("Team")
		}
	}
}

func has(a pcommon.Map, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { _, ok := a.Get(key); return ok })
}

func costOf(a pcommon.Map) float64 {
	for _, key := range []string{"litellm.cost.total", "gen_ai.cost.total_cost"} {
		if v, ok := a.Get(key); ok && v.Type() == pcommon.ValueTypeDouble {
			return v.Double()
		}
	}
	hidden, ok := a.Get("hidden_params")
	if !ok {
		return 0
	}
	return gjson.Get(hidden.Str(), "response_cost").Float()
}
