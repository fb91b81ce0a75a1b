package leaks

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// isSampledState says whether a W3C tracestate tells that spans were left out.
// OpenTelemetry's entry has the rejection threshold th, 0 for none, or in older
// releases p, the negative binary logarithm of the probability. Randomness, rv
// or r, is there without any sampling too.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
func isSampledState(state string) bool {
	for entry := range strings.SplitSeq(state, ",") {
		list, ok := strings.CutPrefix(strings.TrimSpace(entry), "ot=")
		if !ok {
			continue
		}
		for member := range strings.SplitSeq(list, ";") {
			key, value, _ := strings.Cut(member, ":")
			if (key == "th" || key == "p") && strings.Trim(value, "0") != "" {
				return true
			}
		}
	}
	return false
}

// isSamplingMark says whether an attribute tells that spans were left out: those
// of OpenTelemetry's and Jaeger's samplers, and Honeycomb's SampleRate, which
// says how many spans one stands for.
func isSamplingMark(key string, value pcommon.Value) bool {
	switch key {
	case "sampling.randomness", "sampling.priority":
		return false // there without any sampling too
	case "sampling.threshold":
		return strings.Trim(value.AsString(), "0") != ""
	case "sampling.probability", "sampling.ratio", "sampling.rate", "sampler.param":
		p, err := strconv.ParseFloat(value.AsString(), 64)
		return err == nil && p < 1
	case "SampleRate", "sample_rate":
		n, err := strconv.ParseFloat(value.AsString(), 64)
		return err == nil && n > 1
	case "sampler.type":
		return value.Str() == "ratelimiting" // probabilities are in sampler.param
	case "sampling.rule", "sampling.policy", "tailsampling.policy":
		return value.AsString() != ""
	default:
		return false
	}
}
