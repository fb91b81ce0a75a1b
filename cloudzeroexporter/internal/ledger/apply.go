package ledger

import (
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// applyLocked takes every call of the batch into the books, in memory. All
// hours that the batch touches are in memory already.
func (l *Ledger) applyLocked(b *Batch) {
	now := billing.HourOf(time.Now())
	begin := 0
	var h *hour // calls of a batch mostly share their hour
	for i := range b.calls {
		c := &b.calls[i]
		if h == nil || h.Hour != c.hour {
			h = l.hours[c.hour]
		}
		b.count(l.bookLocked(h, c, b.keys[begin:c.keyEnd], now), c.totals.Tokens)
		begin = c.keyEnd
	}
}

// bookLocked decides what a call is, given all that were told before, and books
// it. The rules are those that give the truth for spans in any order; the
// usage package says what makes identities and answers equal.
func (l *Ledger) bookLocked(h *hour, c *call, key []byte, now billing.Hour) billing.Outcome {
	if l.tombs.has(c.hour) {
		l.rejected = l.rejected.Add(c.totals)
		return billing.Rejected
	}
	if _, seen := h.seen[c.identity]; seen || l.answers.has(c.identity) { // a clock that was ahead is believed later on
		return billing.Duplicate
	}
	h.seen[c.identity] = struct{}{}
	h.unsaved = append(h.unsaved, c.identity)
	h.changed = true
	p := l.pending.of(h)
	p.seen = append(p.seen, c.identity)
	l.pending.calls++
	if c.corrected {
		// Its hour is that of its arrival, so a repetition may fall into another.
		l.rememberLocked(c.identity, false, now)
	}
	if c.cacheHit {
		return billing.Free
	}
	if c.answer != 0 {
		if fromProvider, known := l.answers.get(c.answer); known && !(fromProvider && c.fromProvider) {
			return billing.Free
		}
		l.rememberLocked(c.answer, c.fromProvider, now)
	}
	r := h.add(key, c.labels, c.totals)
	if !r.pending {
		r.pending = true
		p.rows = append(p.rows, r)
	}
	return c.outcome
}

func (l *Ledger) rememberLocked(id uint64, fromProvider bool, now billing.Hour) {
	a := answer{id: id, fromProvider: fromProvider, heard: now}
	l.answers.put(a)
	l.pending.answers = append(l.pending.answers, a)
}
