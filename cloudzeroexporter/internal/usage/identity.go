package usage

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Identities are stored, so what goes into them never changes: first what kind
// of identity it is, then integers as eight bytes, little endian, and texts
// behind their length.
const (
	kindSpan   = 1
	kindTimes  = 2
	kindAnswer = 3
)

// identity is room for what goes into one identity.
type identity struct{ room [512]byte }

// callOf identifies a call by its span. Spans without ids are told apart by
// their times.
func callOf(span ptrace.Span, r *Record, p price) uint64 {
	trace, id := span.TraceID(), span.SpanID()
	first, second := binary.LittleEndian.Uint64(trace[:8]), binary.LittleEndian.Uint64(trace[8:])
	third := binary.LittleEndian.Uint64(id[:])
	if first|second == 0 || third == 0 {
		var room identity
		return room.ofTimes(span, r, p)
	}
	var b [1 + len(trace) + len(id)]byte
	b[0] = kindSpan
	binary.LittleEndian.PutUint64(b[1:], first)
	binary.LittleEndian.PutUint64(b[9:], second)
	binary.LittleEndian.PutUint64(b[17:], third)
	return hash(b[:])
}

// ofTimes identifies a call by its times, who paid and what for: LiteLLM's
// first dialect can tell of one call in several spans, whose times are those of
// one reading of its clock, to the microsecond.
func (i *identity) ofTimes(span ptrace.Span, r *Record, p price) uint64 {
	b := append(i.room[:0], kindTimes)
	start := uint64(span.StartTimestamp())
	b = binary.LittleEndian.AppendUint64(b, start)
	b = binary.LittleEndian.AppendUint64(b, uint64(span.EndTimestamp()))
	b = appendText(b, r.APIKey)
	b = appendText(b, r.Model)
	b = appendPrice(b, r, p)
	if start == 0 {
		trace, id := span.TraceID(), span.SpanID()
		b = append(append(b, trace[:]...), id[:]...)
	}
	return hash(b)
}

// ofAnswer identifies what a provider answered; 0 if it did not name its
// answer. A hit of the response cache repeats it.
func (i *identity) ofAnswer(responseID string, r *Record, p price) uint64 {
	if responseID == "" {
		return 0
	}
	b := append(i.room[:0], kindAnswer)
	b = appendText(b, responseID)
	return max(1, hash(appendPrice(b, r, p)))
}

func appendPrice(b []byte, r *Record, p price) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.Tokens.Input)
	b = binary.LittleEndian.AppendUint64(b, r.Tokens.Output)
	if !p.present {
		return append(b, 0)
	}
	dollars, femto := p.amount.Parts()
	b = binary.LittleEndian.AppendUint64(append(b, 1), dollars)
	return binary.LittleEndian.AppendUint64(b, femto)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func hash(b []byte) uint64 { return xxhash.Sum64(b) }
