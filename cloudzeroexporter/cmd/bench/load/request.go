package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// Widths of the numbers that are written over, in bytes.
const (
	answerDigits = 20 // hexadecimal
	nameDigits   = 6  // decimal
)

// request is an encoded OTLP export request. It belongs to one sender.
type request struct {
	body   []byte
	places []place
}

// place says where in the body a span has what makes it another span.
type place struct {
	isCall bool
	cost   string // in dollars
	took   time.Duration

	// Offsets into the body; 0 is none.
	trace, span, start, end   int
	answer, team, user, model int

	stamped bool
	again   float64 // share of a repetition that is owed
}

// encode makes a request of the spans and finds the places in it. Every place
// holds a mark of its own while they are looked for.
func encode(spans []ptrace.Span, calls []*captures.Call) (*request, error) {
	td := ptrace.NewTraces()
	resource := td.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "litellm")
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName("litellm")
	r := &request{places: make([]place, len(spans))}
	for i, recorded := range spans {
		span := scope.Spans().AppendEmpty()
		recorded.CopyTo(span)
		p := &r.places[i]
		p.took = recorded.EndTimestamp().AsTime().Sub(recorded.StartTimestamp().AsTime())
		if calls[i] != nil {
			p.isCall, p.cost = true, calls[i].Cost.String()
		}
		mark(span, i, p.isCall)
	}
	var err error
	if r.body, err = ptraceotlp.NewExportRequestFromTraces(td).MarshalProto(); err != nil {
		return nil, err
	}
	for i := range r.places {
		if err := r.find(i); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func mark(span ptrace.Span, i int, isCall bool) {
	span.SetTraceID(pcommon.TraceID(traceMark(i)))
	span.SetSpanID(pcommon.SpanID(spanMark(i)))
	span.SetParentSpanID(pcommon.SpanID{})
	span.SetStartTimestamp(pcommon.Timestamp(startMark(i)))
	span.SetEndTimestamp(pcommon.Timestamp(endMark(i)))
	if !isCall {
		return
	}
	a := span.Attributes()
	replace(a, answerMark(i), captures.AnswerKey)
	replace(a, modelMark(i), captures.ModelKey)
	replace(a, teamMark(i), captures.TeamKeys...)
	replace(a, userMark(i), captures.UserKeys...)
}

func replace(a pcommon.Map, value string, keys ...string) {
	for _, key := range keys {
		if v, ok := a.Get(key); ok {
			v.SetStr(value)
		}
	}
}

func traceMark(i int) (id [16]byte) { copy(id[:], fmt.Sprintf("Bench%011d", i)); return id }
func spanMark(i int) (id [8]byte)   { copy(id[:], fmt.Sprintf("B%07d", i)); return id }
func startMark(i int) uint64        { return 0xBE9C_0001_0000_0000 + uint64(i) } //nolint:gosec // an index
func endMark(i int) uint64          { return 0xBE9C_0002_0000_0000 + uint64(i) } //nolint:gosec // an index
func answerMark(i int) string       { return fmt.Sprintf("chatcmpl-%0*x", answerDigits, i) }
func modelMark(i int) string        { return fmt.Sprintf("openai/gpt-%0*d", nameDigits, i) }
func teamMark(i int) string         { return fmt.Sprintf("team-%0*d", nameDigits, i) }
func userMark(i int) string         { return fmt.Sprintf("user-%0*d", nameDigits, i) }

// find looks for the marks of span i behind the last span's trace id, on
// whichever side of it a span's other fields are.
func (r *request) find(i int) error {
	from := 0
	if i > 0 {
		from = r.places[i-1].trace
	}
	p := &r.places[i]
	trace, span := traceMark(i), spanMark(i)
	var times [2][8]byte
	binary.LittleEndian.PutUint64(times[0][:], startMark(i))
	binary.LittleEndian.PutUint64(times[1][:], endMark(i))
	for _, f := range []struct {
		at   *int
		mark []byte
	}{{&p.trace, trace[:]}, {&p.span, span[:]}, {&p.start, times[0][:]}, {&p.end, times[1][:]}} {
		at := bytes.Index(r.body[from:], f.mark)
		if at < 0 {
			return fmt.Errorf("the place %q of span %d is not in the encoded request", f.mark, i)
		}
		*f.at = from + at
	}
	if !p.isCall {
		return nil
	}
	for _, f := range []struct {
		at     *int
		mark   string
		digits int
	}{{&p.answer, answerMark(i), answerDigits}, {&p.team, teamMark(i), nameDigits}, {&p.user, userMark(i), nameDigits}, {&p.model, modelMark(i), nameDigits}} {
		// A call without a response id stays so.
		if at := bytes.Index(r.body[from:], []byte(f.mark)); at >= 0 {
			*f.at = from + at + len(f.mark) - f.digits
		}
	}
	if p.model == 0 || p.team == 0 || p.user == 0 {
		return fmt.Errorf("call %d lacks the model, team or user that was put into it", i)
	}
	return nil
}

// stamp makes span i the n-th of all.
func (r *request) stamp(i int, n uint64, begin time.Time, row rowNumbers) {
	p := &r.places[i]
	p.stamped = true
	binary.BigEndian.PutUint64(r.body[p.trace+8:], n)
	binary.BigEndian.PutUint64(r.body[p.span:], n+1) // an id of zeros is none
	// A microsecond apart, the finest that LiteLLM's clock tells.
	start := begin.Add(time.Duration(n) * time.Microsecond) //nolint:gosec // below an hour
	binary.LittleEndian.PutUint64(r.body[p.start:], uint64(start.UnixNano()))
	binary.LittleEndian.PutUint64(r.body[p.end:], uint64(start.Add(p.took).UnixNano()))
	if !p.isCall {
		return
	}
	if p.answer > 0 {
		const digits = "0123456789abcdef"
		for at, rest := p.answer+answerDigits-1, n; at >= p.answer; at, rest = at-1, rest/16 {
			r.body[at] = digits[rest%16]
		}
	}
	r.number(p.team, row.team)
	r.number(p.user, row.user)
	r.number(p.model, row.model)
}

func (r *request) number(at int, n uint64) {
	for end := at + nameDigits - 1; end >= at; end-- {
		r.body[end] = byte('0' + n%10)
		n /= 10
	}
}

// rowNumbers are who pays for a call, and for which model.
type rowNumbers struct{ team, user, model uint64 }
