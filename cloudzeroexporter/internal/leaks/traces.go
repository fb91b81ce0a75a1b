package leaks

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// patience is how long a trace is open after its first span.
	patience = time.Minute
	// maxOpen bounds the open traces.
	maxOpen = 8192
	// maxMask bounds how few traces are looked at: one of a million.
	maxMask = 1<<20 - 1
)

// marks are what was seen of a trace.
type marks uint8

const (
	hasServer  marks = 1 << iota // a server span of whatever request
	hasRequest                   // one of a successful request to an LLM route
	hasCall
)

// trace is an open trace.
type trace struct {
	opened time.Duration // since Detector.began
	marks  marks
}

// keyOf is what a trace is known by here; of a trace id at least one half is
// random. There is none where there is no id.
func keyOf(id pcommon.TraceID) (key uint64, found bool) {
	first, second := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])
	return first ^ second, first|second != 0
}

// traces are the open traces. Where more are open than there is room for, one
// half of all traces is looked at, then a quarter, and so on: a trace is looked
// at when its key has no bit of the mask, so that all its spans are or none is,
// and shares stay what they are.
type traces struct {
	open map[uint64]trace
	mask uint64
	// masked is when the mask was changed last.
	masked time.Duration

	recent window
	total  Traces
}

// Traces counts the traces of successful requests to LLM routes.
type Traces struct {
	// Found and Missing are those with and without a model call within a minute.
	Found, Missing int64
	// Unjudged are server spans that were not looked at, because too many traces
	// were open.
	Unjudged int64
}

// Columns of traces.recent.
const (
	allRequests = iota // with or without a call
	withoutCall        // requests
	onItsOwn           // traces with a call and no server span
	dialect1           // batches with a call of LiteLLM's first dialect
	dialect2           // batches with a call of its second
)

// see takes in that a trace was seen at a time since the beginning.
func (t *traces) see(key uint64, m marks, at time.Duration) {
	if key&t.mask != 0 {
		return // the mask has grown since the batch began
	}
	known, ok := t.open[key]
	if !ok {
		if m == hasServer {
			return // a trace is opened for something that costs money
		}
		if len(t.open) >= maxOpen {
			t.lookAtFewer(at)
		}
		if key&t.mask != 0 || len(t.open) >= maxOpen {
			t.total.Unjudged++
			return
		}
		known.opened = at
	}
	if known.marks|m == known.marks {
		return
	}
	known.marks |= m
	t.open[key] = known
}

func (t *traces) lookAtFewer(at time.Duration) {
	for len(t.open) >= maxOpen && t.mask < maxMask {
		t.mask, t.masked = t.mask<<1|1, at
		for key := range t.open {
			if key&t.mask != 0 {
				delete(t.open, key)
			}
		}
	}
}

// judge closes the traces that were open for long enough. A call that comes
// later than that is one on its own, which makes up for it.
func (t *traces) judge(at time.Duration) {
	for key, trace := range t.open {
		if at-trace.opened < patience {
			continue
		}
		delete(t.open, key)
		switch m := trace.marks; {
		case m&hasRequest != 0 && m&hasCall != 0:
			t.recent.now[allRequests]++
			t.total.Found++
		case m&hasRequest != 0:
			t.recent.now[allRequests]++
			t.recent.now[withoutCall]++
			t.total.Missing++
		case m == hasCall:
			t.recent.now[onItsOwn]++
		}
	}
	if t.mask > 0 && len(t.open) < maxOpen/8 && at-t.masked >= patience {
		t.mask, t.masked = t.mask>>1, at
	}
}

// leastRequests is how many requests it takes to judge: a handful may be anything.
const leastRequests = 20

// rule: a few requests without a call are normal. A call can be told of in a
// trace of its own (images, and where nobody hands down the context), so that
// calls on their own make up for such requests. LiteLLM's second dialect has no span
// for streamed hits of its response cache, of which there can be many; in its
// first dialect, set up well, there was one such request in a hundred, and set
// up wrong there were sixty and more. (All of this was captured.)
func (t *traces) rule() verdict {
	seen := t.recent.sum()
	lost := seen[withoutCall] - seen[onItsOwn]
	bearable := seen[allRequests] / 4
	if seen[dialect2] > 0 && seen[dialect1] == 0 {
		bearable = seen[allRequests] * 3 / 4
	}
	if seen[allRequests] < leastRequests || lost <= bearable {
		return verdict{}
	}
	return verdict{fmt.Sprintf("Of the last %d successful requests to LiteLLM's LLM routes, %d came without a span of the model call and its cost.",
		seen[allRequests], lost), lost}
}
