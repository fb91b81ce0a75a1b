package ledger

import (
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// Batch is a set of usage records that are committed together. It is reusable
// after [Batch.Reset], and not safe for concurrent use.
type Batch struct {
	calls []call
	keys  []byte // the row keys of all calls, one after the other
	tally Tally
	// fetched is there so that what was fetched is not for nothing.
	fetched uint64

	points    []pointCall
	pointKeys []byte // likewise, of all points
	known     bool   // some points were in memory already, if not in storage
}

// Tally counts what became of a batch's spans, of their tokens, and of its
// points of metrics.
type Tally struct {
	Spans  [billing.Outcomes]int64
	Tokens [billing.Outcomes]uint64
	// Corrected is the number of spans whose start was missing or impossible.
	Corrected int64
	PointTally
}

// call is what the books take in of a usage record.
type call struct {
	outcome      billing.Outcome
	hour         billing.Hour
	corrected    bool
	cacheHit     bool
	fromProvider bool
	identity     uint64
	answer       uint64
	keyEnd       int // the key ends here in Batch.keys, and begins where the last one ends
	labels       cbf.Labels
	totals       cbf.Totals
}

// Add puts a record into the batch, under the row that the layout gives it.
func (b *Batch) Add(l cbf.Layout, r *usage.Record) {
	if r.Corrected {
		b.tally.Corrected++
	}
	if r.Outcome == billing.Failed || r.Outcome == billing.Invalid {
		b.count(r.Outcome, r.Tokens)
		return
	}
	b.keys = l.AppendKey(b.keys, r)
	b.calls = append(b.calls, call{})
	c := &b.calls[len(b.calls)-1] // filled in its place: it is large
	c.outcome = r.Outcome
	c.hour = r.Hour
	c.corrected, c.cacheHit, c.fromProvider = r.Corrected, r.CacheHit, r.FromProvider
	c.identity, c.answer = r.Call, r.Answer
	c.keyEnd = len(b.keys)
	c.labels = l.Labels(r)
	c.totals.Cost, c.totals.Tokens, c.totals.Requests = r.Cost, r.Tokens, 1
	if r.Outcome == billing.Unpriced {
		c.totals.Unpriced, c.totals.UnpricedTokens = 1, r.Tokens.Total()
	}
}

// Ignore counts n spans that are no LLM calls.
func (b *Batch) Ignore(n int) { b.tally.Spans[billing.Ignored] += int64(n) }

// Tally is what became of the spans and points; complete after [Ledger.Commit].
func (b *Batch) Tally() Tally { return b.tally }

// Reset empties the batch and lets go of all that it borrowed.
func (b *Batch) Reset() {
	clear(b.calls)
	b.calls, b.keys, b.tally = b.calls[:0], b.keys[:0], Tally{}
	clear(b.points)
	b.points, b.pointKeys, b.known = b.points[:0], b.pointKeys[:0], false
}

func (b *Batch) count(o billing.Outcome, t billing.Tokens) {
	b.tally.Spans[o]++
	b.tally.Tokens[o] += t.Total()
}
