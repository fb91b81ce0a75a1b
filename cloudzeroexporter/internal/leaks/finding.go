package leaks

import (
	"time"

	"go.uber.org/zap"
)

// Kind is a way in which money leaks.
type Kind uint8

const (
	// NoCall is requests to LLM routes that succeed while no span tells of a model call.
	NoCall Kind = iota
	// LostPrice is calls without a cost for models that had one.
	LostPrice
	// Sampled is spans that say that others were left out.
	Sampled
	// Unpriced is that most calls have no cost, or many more than before.
	Unpriced
	// MetricsDiffer is that LiteLLM's metrics and its spans tell of different money.
	MetricsDiffer

	// Kinds is the number of kinds.
	Kinds = iota
)

var kindNames = [Kinds]string{"no_call", "lost_price", "sampled", "unpriced", "metrics_differ"}

// String is the kind's name in metrics and in the log.
func (k Kind) String() string { return kindNames[k] }

var advices = [Kinds]string{
	NoCall: "Set LITELLM_OTEL_V2=true for the LiteLLM proxy, or USE_OTEL_LITELLM_REQUEST_SPAN=true where the release is from before mid 2026, " +
		"and restart it. If it is set, look for a processor on the way here that drops LiteLLM's spans.",
	LostPrice: "Give the models their prices again in LiteLLM's model_list (litellm_params: input_cost_per_token, output_cost_per_token), and see " +
		"in LiteLLM's log whether it could load its price list. If they are free now, this ends by itself.",
	Sampled: "Send every span: remove OTEL_TRACES_SAMPLER from LiteLLM (or set it to always_on), keep callers' sampling decisions out of it, and " +
		"take probabilistic_sampler, tail_sampling and the like out of the pipeline that ends here.",
	Unpriced: "Give the models prices in LiteLLM's model_list (litellm_params: input_cost_per_token, output_cost_per_token; 0 says that one is free). " +
		"LiteLLM before about 1.79 tells no costs in its spans: update it.",
	MetricsDiffer: "Where the metrics have more, spans get lost: look for sampling, filters and full queues between LiteLLM and here. Where the " +
		"spans have more, metrics do: look at LITELLM_OTEL_INTEGRATION_ENABLE_METRICS, and whether every LiteLLM sends both here.",
}

// Warning is a finding as people see it.
type Warning struct {
	Kind Kind
	// What is seen, and what to do about it; each a sentence or more.
	What, Advice string
	// Since is when it was seen first.
	Since time.Time
	// Count is the number of traces, models, spans, calls or hours that it is
	// seen in now.
	Count int64
}

// endAfter is how long a rule must not hold before its finding ends, so that one
// that comes and goes is logged once.
const endAfter = time.Hour

// finding is a rule that holds, or held until lately.
type finding struct {
	what       string
	count      int64
	since, met time.Time // met is when the rule held last
}

// verdict is what a rule says now.
type verdict struct {
	what  string // a sentence; empty: the rule does not hold
	count int64
}

// meetLocked begins, keeps or ends the finding of a kind.
func (d *Detector) meetLocked(k Kind, v verdict, now time.Time) {
	f := d.findings[k]
	switch {
	case v.what != "" && f == nil:
		d.findings[k] = &finding{v.what, v.count, now, now}
		d.logger.Warn("Money may not arrive. "+v.what+" "+advices[k], zap.Stringer("kind", k))
	case v.what != "":
		f.what, f.count, f.met = v.what, v.count, now
	case f != nil && now.Sub(f.met) >= endAfter:
		d.findings[k] = nil
		d.logger.Info("This has not been seen for an hour: "+f.what, zap.Stringer("kind", k))
	}
}
