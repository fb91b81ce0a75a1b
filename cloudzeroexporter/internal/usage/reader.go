package usage

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Config says what a [Reader] looks for.
type Config struct {
	// Instrumentations are the sources whose spans are read.
	Instrumentations []Instrumentation
	// Attributes are the names of further span attributes that records carry.
	Attributes []string
}

// Reader reads usage records out of spans. It is safe for concurrent use.
type Reader struct {
	instrumentations [instrumentations]bool
	wanted           map[string]int // by attribute, its index in Record.Attributes
}

// NewReader returns a Reader for the configuration.
func NewReader(cfg Config) *Reader {
	r := &Reader{wanted: make(map[string]int, len(cfg.Attributes))}
	for _, i := range cfg.Instrumentations {
		r.instrumentations[i] = true
	}
	for i, name := range cfg.Attributes {
		r.wanted[name] = i
	}
	return r
}

// Read visits every model call of td with its record, which is valid until
// visit returns, and returns the number of the other spans. Of those it visits
// the server spans, if server is not nil. Arrived is the time at which td came.
func (r *Reader) Read(td ptrace.Traces, arrived time.Time, visit func(*Record), server func(ptrace.Span)) (ignored int) {
	c := collector{wanted: r.wanted, other: make([]string, len(r.wanted))}
	var record Record
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				c.collect(span.Attributes())
				if !r.read(&c, span, &record) {
					ignored++
					if server != nil && span.Kind() == ptrace.SpanKindServer {
						server(span)
					}
					continue
				}
				record.Span = span
				place(&record, span, arrived)
				visit(&record)
			}
		}
	}
	return ignored
}

// read makes the record of a span, or says that it is no model call that is
// billed here.
func (r *Reader) read(c *collector, span ptrace.Span, record *Record) bool {
	failed := span.Status().Code() == ptrace.StatusCodeError
	switch {
	case r.instrumentations[LiteLLM] && c.isLiteLLM1():
		*record = c.liteLLM1(span, failed)
	case r.instrumentations[LiteLLM] && c.isLiteLLM2():
		*record = c.liteLLM2(span, failed)
	case c.isLiteLLM1(), c.isLiteLLM2(), c.present&isProxyRequest != 0:
		// Never read LiteLLM's spans by another dialect's rules: its prices,
		// cache hits and repetitions follow its own.
		return false
	case r.instrumentations[OpenInference] && c.isOpenInference():
		*record = c.openInference(span, failed)
	case r.instrumentations[OpenLLMetry] && c.isOpenLLMetry():
		*record = c.genAI(span, failed)
	case (r.instrumentations[GenAI] || r.instrumentations[OpenLIT]) && c.isGenAI():
		*record = c.genAI(span, failed)
	default:
		return false
	}
	return true
}

const (
	// maxAhead is how far a clock may be ahead of ours.
	maxAhead = time.Hour
	// earliest is 2020-01-01, before any LLM was billed by its tokens. A start
	// before it is a clock that was never set.
	earliest = 1577836800 * uint64(time.Second)
)

// place finds the hour that the call is billed in: the one that it started in,
// as in LiteLLM's own spend reports.
func place(r *Record, span ptrace.Span, arrived time.Time) {
	start := uint64(span.StartTimestamp())
	latest := uint64(arrived.Add(maxAhead).UnixNano())
	if start < earliest || start > latest {
		r.Hour, r.Corrected = billing.HourOf(arrived), true
		return
	}
	r.Hour = billing.HourOfNanos(start)
}
