package cloudzeroexporter

import (
	"errors"
	"fmt"
)

// source is the signal that is billed.
type source string

const (
	sourceTraces  source = "traces"
	sourceMetrics source = "metrics"
)

// validate says whether a configuration may name it; empty is the signal of the
// only kind of pipeline that the exporter is in.
func (s source) validate() error {
	switch s {
	case "", sourceTraces, sourceMetrics:
		return nil
	default:
		return fmt.Errorf("%q is neither traces nor metrics", string(s))
	}
}

// resolve finds the signal to bill, given the kinds of pipelines that the
// exporter is in: LiteLLM's spans and its metrics tell of the same calls.
func (s source) resolve(wired map[source]bool) (source, error) {
	both := wired[sourceTraces] && wired[sourceMetrics]
	switch {
	case s == "" && both:
		return "", errors.New("the exporter is in a traces and in a metrics pipeline, which tell of the same calls, " +
			"and each call must be billed once; set source: traces or source: metrics, or take it out of one of them")
	case s == "" && wired[sourceMetrics]:
		return sourceMetrics, nil
	case s == "":
		return sourceTraces, nil
	case !wired[s]:
		return "", fmt.Errorf("is %s, but the exporter is in no %s pipeline, so nothing would be billed; "+
			"add it to one, or leave source out", string(s), string(s))
	default:
		return s, nil
	}
}
