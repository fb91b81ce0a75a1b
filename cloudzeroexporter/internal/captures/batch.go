package captures

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// BatchConfig says what a [Batch] is made of.
type BatchConfig struct {
	// Spans is the number of spans.
	Spans int
	// Others is the share of spans, up to 1, that are no model calls.
	Others float64
	// Users is the number of users that the calls are spread over; 0 leaves
	// those of the capture.
	Users int
}

// Batch is decoded spans whose calls can be made new ones, in place and without
// allocation: what benchmarks send. It is not safe for concurrent use.
type Batch struct {
	Traces ptrace.Traces
	begin  time.Time
	calls  []renewable
	users  []string
}

// renewable is what makes a call another one.
type renewable struct {
	span   ptrace.Span
	user   pcommon.Value
	answer []byte // the last digits of its response id
}

const answerDigits = 16 // hexadecimal

// Batch makes a batch of the capture's spans, in turn. All of its calls are new.
func (c *Capture) Batch(cfg BatchConfig) (*Batch, error) {
	calls, others, err := c.Calls()
	if err != nil {
		return nil, err
	}
	// The last full hour: closed, and within any retention.
	b := &Batch{Traces: ptrace.NewTraces(), begin: time.Now().UTC().Truncate(time.Hour).Add(-time.Hour)}
	for i := range cfg.Users {
		b.users = append(b.users, fmt.Sprintf("user-%06d", i))
	}
	resource := b.Traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "litellm")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	spans.EnsureCapacity(cfg.Spans)
	for i := range cfg.Spans {
		span := spans.AppendEmpty()
		if before := int(float64(i) * cfg.Others); int(float64(i+1)*cfg.Others) > before {
			others[before%len(others)].CopyTo(span)
			continue
		}
		calls[len(b.calls)%len(calls)].Span.CopyTo(span)
		b.calls = append(b.calls, newRenewable(span))
	}
	return b, nil
}

func newRenewable(span ptrace.Span) renewable {
	r := renewable{span: span}
	for _, key := range UserKeys {
		if v, ok := span.Attributes().Get(key); ok {
			r.user = v
		}
	}
	if v, ok := span.Attributes().Get(AnswerKey); ok {
		// The bytes below the string are written over later. Who keeps a string
		// of a span must copy it anyhow.
		text := fmt.Appendf(nil, "chatcmpl-%0*x", answerDigits, 0)
		r.answer = text[len(text)-answerDigits:]
		v.SetStr(unsafe.String(&text[0], len(text))) //nolint:gosec // the bytes live as long as the batch
	}
	return r
}

// HourlyCalls is how many calls a benchmark sends of one hour.
const HourlyCalls = 100_000

// hours is how many hours calls are sent of until the first one comes again: all are
// over, and none is older than the retention.
const hours = 800

var firstHour = time.Now().UTC().Truncate(time.Hour).Add(-hours * time.Hour)

// HourOf is the hour of the nth call that a benchmark sends.
func HourOf(n int64) time.Time {
	return firstHour.Add(time.Duration(n/HourlyCalls%hours) * time.Hour)
}

// Calls is the number of the batch's spans that are calls.
func (b *Batch) Calls() int { return len(b.calls) }

// Renew makes every call one that was never sent. The counter is shared by all
// batches that one exporter is sent.
func (b *Batch) Renew(counter *atomic.Uint64) {
	n := counter.Add(uint64(len(b.calls))) - uint64(len(b.calls))
	for i := range b.calls {
		b.renew(&b.calls[i], n+uint64(i))
	}
}

// Begin puts the calls of the next renewals into the hour that begins then,
// instead of the last full hour.
func (b *Batch) Begin(hour time.Time) { b.begin = hour }

func (b *Batch) renew(c *renewable, n uint64) {
	id := c.span.SpanID()
	binary.LittleEndian.PutUint64(id[:], n+1) // an id of zeros is none
	c.span.SetSpanID(id)
	// A microsecond apart, the finest that LiteLLM's clock tells.
	start := b.begin.Add(time.Duration(n) * time.Microsecond) //nolint:gosec // below an hour
	c.span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	c.span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(time.Second)))
	for i, rest := len(c.answer)-1, n; i >= 0; i, rest = i-1, rest/16 {
		c.answer[i] = "0123456789abcdef"[rest%16]
	}
	if len(b.users) > 0 {
		c.user.SetStr(b.users[n%uint64(len(b.users))])
	}
}
