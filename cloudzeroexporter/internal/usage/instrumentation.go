package usage

import (
	"fmt"
	"slices"
	"strings"
)

// Instrumentation is a source of spans that can be billed.
type Instrumentation uint8

const (
	// LiteLLM is the proxy itself, both of its OpenTelemetry dialects.
	LiteLLM Instrumentation = iota
	// GenAI is any that follows OpenTelemetry's conventions,
	// https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/.
	GenAI
	// OpenLLMetry is Traceloop's, https://github.com/traceloop/openllmetry.
	OpenLLMetry
	// OpenInference is Arize's,
	// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md.
	OpenInference
	// OpenLIT is https://github.com/openlit/openlit.
	OpenLIT

	instrumentations = iota
)

var instrumentationNames = [instrumentations]string{"litellm", "genai", "openllmetry", "openinference", "openlit"}

// ParseInstrumentation returns the instrumentation that a configuration names.
func ParseInstrumentation(name string) (Instrumentation, error) {
	if i := slices.Index(instrumentationNames[:], name); i >= 0 {
		return Instrumentation(i), nil //nolint:gosec // below instrumentations
	}
	return 0, fmt.Errorf("%q is none of %s", name, strings.Join(instrumentationNames[:], ", "))
}

// String is the name that [ParseInstrumentation] takes.
func (i Instrumentation) String() string { return instrumentationNames[i] }
