package leaks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// requests sends so many requests, each in a batch of its own, of which every
// n-th comes with a call.
func (r *rig) requests(n, every int, mark string) {
	for i := range n {
		r.seeing(func(b *Batch) {
			id := newTrace()
			if i%every == 0 {
				b.Call(callRecord(id, mark))
			}
			b.Server(requestSpan(id))
		})
	}
}

func TestRequestsWithoutCallsAreFoundByNumberAndShare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		see  func(*rig)
		want []string
	}{
		"too few to judge":         {func(r *rig) { r.requests(19, 100, mark1) }, []string{}},
		"enough":                   {func(r *rig) { r.requests(20, 100, mark1) }, []string{"no_call"}},
		"all with calls":           {func(r *rig) { r.requests(100, 1, mark1) }, []string{}},
		"half, first dialect":      {func(r *rig) { r.requests(100, 2, mark1) }, []string{"no_call"}},
		"half are streamed hits":   {func(r *rig) { r.requests(100, 2, mark2) }, []string{}},
		"nearly all, whatever":     {func(r *rig) { r.requests(100, 10, mark2) }, []string{"no_call"}},
		"both dialects":            {func(r *rig) { r.requests(50, 2, mark2); r.requests(50, 2, mark1) }, []string{"no_call"}},
		"calls in traces of their": {func(r *rig) { r.requests(100, 100, mark1); r.calls(99) }, []string{}},
		"calls of applications with a server of their own": {func(r *rig) { r.requests(100, 100, mark1); r.applications(99) }, []string{"no_call"}},
		"failed requests": {func(r *rig) {
			for range 100 {
				r.seeing(func(b *Batch) {
					request := requestSpan(newTrace())
					request.Attributes().PutInt("http.response.status_code", 503)
					b.Server(request)
				})
			}
		}, []string{}},
		"spans without a trace": {func(r *rig) {
			for range 100 {
				r.seeing(func(b *Batch) { b.Server(requestSpan(pcommon.TraceID{})) })
			}
		}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				c.see(r)
				pass(patience - 1)
				assert.Empty(t, r.kinds(), "a call may still come")
				pass(judgeEvery)
				assert.Equal(t, c.want, r.kinds())
			})
		})
	}
}

// calls are model calls that no request is seen of.
func (r *rig) calls(n int) {
	for range n {
		r.seeing(func(b *Batch) { b.Call(callRecord(newTrace(), mark1)) })
	}
}

// applications call models themselves, and serve something else.
func (r *rig) applications(n int) {
	for range n {
		r.seeing(func(b *Batch) {
			id := newTrace()
			b.Call(callRecord(id, mark1))
			request := requestSpan(id)
			request.Attributes().PutStr("http.route", "/ask")
			b.Server(request)
		})
	}
}

func TestACallMayComeAMinuteBeforeOrAfterItsRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		ids := make([]pcommon.TraceID, 100)
		for i := range ids {
			ids[i] = newTrace()
		}
		r.seeing(func(b *Batch) {
			for _, id := range ids[:50] {
				b.Call(callRecord(id, mark1))
			}
			for _, id := range ids[50:] {
				b.Server(requestSpan(id))
			}
		})
		pass(patience - 1)
		r.seeing(func(b *Batch) {
			for _, id := range ids[:50] {
				b.Server(requestSpan(id))
			}
			for _, id := range ids[50:] {
				b.Call(callRecord(id, mark1))
			}
		})
		pass(5 * time.Minute)
		assert.Empty(t, r.kinds())
		assert.Equal(t, Traces{Found: 100}, r.Traces())
	})
}

func TestACallThatIsLateMakesUpForItsRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		ids := make([]pcommon.TraceID, 100)
		for i := range ids {
			ids[i] = newTrace()
			r.seeing(func(b *Batch) { b.Server(requestSpan(ids[i])) })
		}
		pass(2 * time.Minute)
		assert.Equal(t, []string{"no_call"}, r.kinds())
		for _, id := range ids {
			r.seeing(func(b *Batch) { b.Call(callRecord(id, mark1)) })
		}
		pass(2*time.Minute + endAfter)
		assert.Empty(t, r.kinds())
	})
}

// TestOpenTracesAreBounded: with more traces than there is room for, a part of
// them is looked at, and the finding is the same; when it is calm again, all are.
func TestOpenTracesAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every int
		want  []string
	}{"set up well": {1, []string{}}, "set up wrong": {3, []string{"no_call"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				for range 60 {
					r.requests(2000, c.every, mark1)
					assert.LessOrEqual(t, r.open(), maxOpen)
					pass(time.Second)
				}
				pass(2 * time.Minute)
				assert.Equal(t, c.want, r.kinds())
				traces := r.Traces()
				judged := traces.Found + traces.Missing
				assert.Greater(t, judged, int64(maxOpen/4))
				assert.Less(t, judged, int64(maxOpen)+1)
				assert.Positive(t, traces.Unjudged)
				assert.InDelta(t, 1-1/float64(c.every), float64(traces.Missing)/float64(judged), 0.05)

				pass(time.Hour)
				assert.Zero(t, r.mask.Load())
				r.requests(100, 1, mark1)
				pass(2 * time.Minute)
				assert.Equal(t, judged+100, r.Traces().Found+r.Traces().Missing)
			})
		})
	}
}

func TestTraceIdsThatAreNotRandomDoNotFillMemory(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		for i := range 3 * maxOpen {
			r.seeing(func(b *Batch) { b.Server(requestSpan(pcommon.TraceID{7: byte(i), 6: byte(i >> 8), 5: 1})) })
		}
		assert.LessOrEqual(t, r.open(), maxOpen)
	})
}
