package load

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// recorded are a capture's spans, by whether they are calls that cost money.
type recorded struct {
	calls  []call
	others []ptrace.Span
}

// call is a span of a model call, and what LiteLLM says that it cost.
type call struct {
	span ptrace.Span
	cost billing.Amount
}

// read sorts a capture's spans. It goes by the facts that LiteLLM documents and
// not by the exporter's reader, so that it can be held against that. Calls that
// cost nothing are left out: failures, cache hits, models without a price; and
// so are those that lack a model, team or user to vary.
func read(folder string) (r recorded, err error) {
	capture, err := captures.Load(folder)
	if err != nil {
		return r, err
	}
	for _, td := range capture.Requests {
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if err := r.sort(span); err != nil {
						return r, fmt.Errorf("%s: span %q: %w", folder, span.Name(), err)
					}
				}
			}
		}
	}
	if len(r.calls) == 0 || len(r.others) == 0 {
		return r, fmt.Errorf("%s: holds %d calls with a cost and %d other spans; take a capture with both", folder, len(r.calls), len(r.others))
	}
	return r, nil
}

func (r *recorded) sort(span ptrace.Span) error {
	a := span.Attributes()
	hidden, first := a.Get("hidden_params")
	_, second := a.Get("litellm.cost.total")
	if !first && !second {
		r.others = append(r.others, span)
		return nil
	}
	if span.Status().Code() == ptrace.StatusCodeError || first && gjson.Get(hidden.Str(), "cache_key").String() != "" {
		return nil
	}
	dollars := costOf(a)
	if dollars <= 0 || !has(a, modelKey) || !has(a, teamKeys...) || !has(a, userKeys...) {
		return nil
	}
	cost, err := billing.AmountOf(dollars)
	if err != nil {
		return err
	}
	r.calls = append(r.calls, call{span, cost})
	return nil
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
