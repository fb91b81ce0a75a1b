package ledger

import (
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// applyLocked takes every call of the batch into the books, in memory. All
// hours that the batch touches are in memory already.
func (l *Ledger) applyLocked(b *Batch) {
	now := billing.HourOf(time.Now())
	l.fetchLocked(b)
	begin := 0
	var h *hour // calls of a batch mostly share their hour
	closed := false
	for i := range b.calls {
		c := &b.calls[i]
		if h == nil || h.Hour != c.hour {
			h, closed = l.hours[c.hour], l.tombs.has(c.hour)
		}
		outcome := billing.Rejected
		if closed {
			l.rejected.Increase(&c.totals)
		} else {
			outcome = l.bookLocked(h, c, b.keys[begin:c.keyEnd], now)
		}
		b.count(outcome, c.totals.Tokens)
		begin = c.keyEnd
	}
}

// fetchLocked has the processor fetch the slots that the batch will look at, all
// at the same time, instead of waiting for one after the other (890 ns a new call
// in all without this, 760 with it).
func (l *Ledger) fetchLocked(b *Batch) {
	var h *hour
	var sum uint64
	for i := range b.calls {
		c := &b.calls[i]
		if h == nil || h.Hour != c.hour {
			if h = l.hours[c.hour]; h == nil {
				continue // it was let go
			}
		}
		sum += h.seen.fetch(c.identity)
		if c.answer != 0 {
			sum += l.answers.heard.fetch(c.answer)
		}
	}
	b.fetched = sum
}

// bookLocked decides what a call is, given all that were told before, and books
// it. The rules are those that give the truth for spans in any order; the
// usage package says what makes identities and answers equal.
func (l *Ledger) bookLocked(h *hour, c *call, key []byte, now billing.Hour) billing.Outcome {
	if l.answers.isDisplaced(c.identity) || !h.seen.add(c.identity) { // a clock that was ahead is believed later on
		return billing.Duplicate
	}
	if !l.opts.Volatile {
		h.unsaved = appendID(h.unsaved, c.identity)
	}
	h.changed = true
	p := l.pending.of(h)
	l.pending.calls++
	if c.corrected {
		// Its hour is that of its arrival, so a repetition may fall into another.
		l.answers.displace(c.identity, now)
	}
	if c.cacheHit {
		return billing.Free
	}
	if c.answer != 0 && l.answers.hear(c.answer, now, c.fromProvider) {
		return billing.Free
	}
	p.touch(h.add(key, &c.labels, &c.totals))
	return c.outcome
}
