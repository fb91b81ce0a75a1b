package usage

import (
	"sync"
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
	// Skip is what records need not tell. Looking for it takes time (15 of 415 ns a call for
	// all that most configurations do not split by).
	Skip Parts
}

// Parts are parts of a [Record] that not everybody needs. One that is skipped means
// nothing.
type Parts uint8

// The parts, by the fields of a [Record] that they are.
const (
	APIKeyAlias Parts = 1 << iota
	EndUser
	ModelGroup
	Organization
	Project

	AllParts = APIKeyAlias | EndUser | ModelGroup | Organization | Project
)

// Reader reads usage records out of spans. It is safe for concurrent use.
type Reader struct {
	instrumentations [instrumentations]bool
	index            *attributeIndex
	desks            sync.Pool // of *desk
}

// desk is what reading one request needs, kept for the next one.
type desk struct {
	collector
	record Record
}

// NewReader returns a Reader for the configuration.
func NewReader(cfg Config) *Reader {
	r := &Reader{index: newAttributeIndex(cfg.Attributes, cfg.Skip)}
	r.desks.New = func() any {
		return &desk{collector: collector{index: r.index, other: make([]string, len(cfg.Attributes))}}
	}
	for _, i := range cfg.Instrumentations {
		r.instrumentations[i] = true
	}
	return r
}

// Read visits every model call of td with its record, which is valid until
// visit returns, and returns the number of the other spans. Of those it visits
// the server spans, if server is not nil. Arrived is the time at which td came.
func (r *Reader) Read(td ptrace.Traces, arrived time.Time, visit func(*Record), server func(ptrace.Span)) (ignored int) {
	d := r.desks.Get().(*desk)
	defer r.tidy(d)
	clock := clockOf(arrived)
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				d.collect(span.Attributes())
				read := r.dialect(&d.collector)
				if read == nil {
					ignored++
					if server != nil && span.Kind() == ptrace.SpanKindServer {
						server(span)
					}
					continue
				}
				d.record = Record{}
				d.record.Attributes, d.record.Span = d.other, span
				read(&d.collector, &d.record, span, span.Status().Code() == ptrace.StatusCodeError)
				clock.place(&d.record, span)
				visit(&d.record)
			}
		}
	}
	return ignored
}

// tidy puts the desk back without what it borrowed from the spans.
func (r *Reader) tidy(d *desk) {
	clear(d.values[:])
	clear(d.other)
	d.record = Record{}
	r.desks.Put(d)
}

// dialect is how the span is read, or nil when it is no model call that is
// billed here.
func (r *Reader) dialect(c *collector) func(*collector, *Record, ptrace.Span, bool) {
	if !c.has(1<<fieldRequestType | 1<<fieldOperation | 1<<fieldKind) {
		return nil // most spans end here
	}
	switch first, second := c.isLiteLLM1(), c.isLiteLLM2(); {
	case r.instrumentations[LiteLLM] && first:
		return (*collector).liteLLM1
	case r.instrumentations[LiteLLM] && second:
		return (*collector).liteLLM2
	case first, second, c.has(1 << fieldRoute):
		// Never read LiteLLM's spans by another dialect's rules: its prices,
		// cache hits and repetitions follow its own.
		return nil
	case r.instrumentations[OpenInference] && c.isOpenInference():
		return (*collector).openInference
	case r.instrumentations[OpenLLMetry] && c.isOpenLLMetry():
		return (*collector).genAI
	case (r.instrumentations[GenAI] || r.instrumentations[OpenLIT]) && c.isGenAI():
		return (*collector).genAI
	default:
		return nil
	}
}

const (
	// maxAhead is how far a clock may be ahead of ours.
	maxAhead = time.Hour
	// earliest is 2020-01-01, before any LLM was billed by its tokens. A start
	// before it is a clock that was never set.
	earliest = 1577836800 * uint64(time.Second)
)

// clock judges the times of spans that arrived together.
type clock struct {
	now    billing.Hour
	latest uint64 // start that is believed, in nanoseconds since 1970
}

func clockOf(arrived time.Time) clock {
	return clock{billing.HourOf(arrived), uint64(arrived.Add(maxAhead).UnixNano())}
}

// place finds the hour that the call is billed in: the one that it started in,
// as in LiteLLM's own spend reports.
func (c clock) place(r *Record, span ptrace.Span) {
	start := uint64(span.StartTimestamp())
	if start < earliest || start > c.latest {
		r.Hour, r.Corrected = c.now, true
		return
	}
	r.Hour = billing.HourOfNanos(start)
}
