package leaks

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// judgeEvery is the time between two looks at what was seen.
const judgeEvery = 10 * time.Second

// Options are what a detector needs to know.
type Options struct {
	// Spans is what the spans cost, by hour. It is never called under the
	// detector's lock.
	Spans MoneyOf
	// Foreign says that spans of other instrumentations are billed too. Most of
	// them tell no cost, and LiteLLM's metrics know nothing of them, so that
	// neither prices nor metrics are judged.
	Foreign bool
	Logger  *zap.Logger
}

// Detector notices leaks. It is safe for concurrent use.
type Detector struct {
	logger  *zap.Logger
	foreign bool
	batches sync.Pool     // of *Batch
	mask    atomic.Uint64 // a copy of traces.mask, for batches to read without the lock

	mu       sync.Mutex // guards everything below
	began    time.Time
	traces   traces
	prices   prices
	sampling window
	money    money
	findings [Kinds]*finding

	// Below is what Start makes and Shutdown ends.
	stop, stopped chan struct{}
}

// New returns a detector that has seen nothing yet.
func New(opts Options) *Detector {
	now := time.Now()
	first := window{began: now}
	d := &Detector{
		logger:   opts.Logger,
		foreign:  opts.Foreign,
		began:    now,
		traces:   traces{open: make(map[uint64]trace), recent: first},
		prices:   prices{models: make(map[modelName]*model), recent: first, aged: now},
		sampling: first,
		money:    newMoney(opts.Spans, now),
	}
	d.batches.New = func() any { return new(Batch) }
	return d
}

// Start begins to judge what is seen.
func (d *Detector) Start() {
	d.stop, d.stopped = make(chan struct{}), make(chan struct{})
	go d.run()
}

// Shutdown ends what Start began. It is safe without Start, and twice.
func (d *Detector) Shutdown() {
	if d.stop == nil {
		return
	}
	close(d.stop)
	<-d.stopped
	d.stop = nil
}

func (d *Detector) run() {
	defer close(d.stopped)
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			d.judge(now)
		case <-d.stop:
			return
		}
	}
}

// take takes in what a batch saw.
func (d *Detector) take(b *Batch, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := now.Sub(d.began)
	for _, s := range b.sightings {
		d.traces.see(s.key, s.marks, at)
	}
	d.traces.recent.now = d.traces.recent.now.plus(b.dialects)
	d.traces.total.Unjudged += b.unjudged
	d.mask.Store(d.traces.mask)
	for i := range b.models {
		d.prices.see(b.models[i].name, b.models[i].counts, now)
	}
	d.sampling.now = d.sampling.now.plus(counts{allSpans: b.spans, markedSpans: b.marked})
	d.money.bySpan = d.money.bySpan || b.spans > 0
}

// judge applies the rules to what was seen.
func (d *Detector) judge(now time.Time) {
	d.judgeMoney(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.traces.judge(now.Sub(d.began))
	d.mask.Store(d.traces.mask)
	d.traces.recent.roll(now)
	d.prices.roll(now)
	d.sampling.roll(now)
	d.meetLocked(NoCall, d.traces.rule(), now)
	d.meetLocked(Sampled, sampled(d.sampling.sum()), now)
	if d.foreign {
		return
	}
	d.meetLocked(LostPrice, d.prices.lostPrice(), now)
	d.meetLocked(Unpriced, d.prices.unpricedShare(), now)
	d.meetLocked(MetricsDiffer, d.money.last, now)
}

func (d *Detector) judgeMoney(now time.Time) {
	d.mu.Lock()
	last, due := d.money.due(now)
	d.mu.Unlock()
	if !due {
		return
	}
	spans := d.money.spans(last - maxHours)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.money.judge(last, spans)
}

// Columns of the window of samplings.
const (
	allSpans    = iota // of calls and requests
	markedSpans        // as sampled
)

// leastMarked is how many spans with a mark it takes: each of them stands for
// others that did not come, be there many without a mark beside it or none.
const leastMarked = 5

func sampled(seen counts) verdict {
	if seen[markedSpans] < leastMarked {
		return verdict{}
	}
	return verdict{fmt.Sprintf("%d of LiteLLM's last spans are marked as sampled, so that others were left out.", seen[markedSpans]), seen[markedSpans]}
}

// Warnings are the findings, in the order of their kinds.
func (d *Detector) Warnings() (all []Warning) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, f := range d.findings {
		if f != nil {
			all = append(all, Warning{Kind(k), f.what, advices[k], f.since, f.count})
		}
	}
	return all
}

// Counts are what each finding is seen in now; 0 where there is none.
func (d *Detector) Counts() (counts [Kinds]int64) {
	for _, w := range d.Warnings() {
		counts[w.Kind] = max(1, w.Count)
	}
	return counts
}

// Traces counts the traces that were judged since the start.
func (d *Detector) Traces() Traces {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.traces.total
}
