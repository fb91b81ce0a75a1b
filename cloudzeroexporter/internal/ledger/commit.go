package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

var errClosed = errors.New("the books are closed")

// Commit takes the batch into the books and returns when all of it is in
// storage. After an error the caller may send the same batch again: what is in
// the books by then is a duplicate. What an error leaves in memory is written
// with the next commit, asked for or not.
func (l *Ledger) Commit(ctx context.Context, b *Batch) error {
	if len(b.calls) == 0 && len(b.points) == 0 && !b.known {
		return nil
	}
	f, err := l.take(ctx, b)
	if err != nil {
		return err
	}
	return wait(ctx, f)
}

// take applies the batch in memory and returns the commit to wait for, which is
// nil when storage has it all already.
func (l *Ledger) take(ctx context.Context, b *Batch) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, errClosed
	case l.pending.calls+l.writing >= maxUncommitted:
		return nil, fmt.Errorf("%w: %d calls wait for it", ErrBehind, l.pending.calls+l.writing)
	}
	if err := l.openHoursLocked(ctx, b); err != nil {
		return nil, err
	}
	if err := l.openPointHoursLocked(ctx, b); err != nil {
		return nil, err
	}
	l.applyLocked(b)
	l.applyPointsLocked(b)
	return l.flightLocked(), nil
}

// flightLocked is the commit after which storage has what memory has now.
func (l *Ledger) flightLocked() *flight {
	switch {
	case l.opts.Volatile:
		l.pending.recycle(l.pending.take())
		l.series.TakeUnwritten()
		return nil
	case l.writtenLocked():
		return l.flying
	}
	nudge(l.wake)
	if l.pending.calls-l.pending.recalled >= manyCalls {
		nudge(l.due)
	}
	return l.nextLocked()
}

// nudge leaves a word in a channel that has room for one.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told
	}
}

func (l *Ledger) nextLocked() *flight {
	if l.next == nil {
		l.next = &flight{done: make(chan struct{})}
	}
	return l.next
}

func wait(ctx context.Context, f *flight) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// openHoursLocked sees to it that every hour of the batch is in memory, before
// any call is applied.
func (l *Ledger) openHoursLocked(ctx context.Context, b *Batch) error {
	var last *hour
	for i := range b.calls {
		at := b.calls[i].hour
		if last != nil && last.Hour == at || l.tombs.has(at) {
			continue
		}
		h, ok := l.hours[at]
		if !ok {
			h = l.newHourLocked(at)
		}
		if err := l.loadLocked(ctx, h); err != nil {
			return err
		}
		last = h
	}
	return nil
}

// newHourLocked opens an hour. One that began before the books may be at
// AnyCost already.
func (l *Ledger) newHourLocked(at billing.Hour) *hour {
	h := &hour{summary: summary{Hour: at}, contents: newContents()}
	if last, ok := l.hours[at-1]; ok && last.contents != nil {
		h.seen.grow(last.seen.n) // it will be much like the last one
	}
	if at.Start().Before(l.begun) {
		h.Posted.Origin = Inherited
	}
	l.hours[at] = h
	return h
}

// write is the goroutine that does all writing.
func (l *Ledger) write() {
	defer close(l.stopped)
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	ctx := context.Background() // a commit that somebody waits for is not given up
	for {
		select {
		case <-l.wake:
			l.pace()
			l.flush(ctx)
		case <-tick.C:
			l.flush(ctx)
			l.maintain(ctx)
		case <-l.stop:
			l.flush(ctx)
			l.tried = time.Time{} // the last chance does not wait
			l.save(ctx)
			return
		}
	}
}

// manyCalls is how many calls are worth a commit of their own: what it takes a
// file_storage beside writing them is then some 50 ns for each. Where all senders
// wait for it, it would be wrong to wait for more (8 senders of 100 calls, with a
// file_storage that does not fsync: 2990 requests a second at 850 ns of CPU a call if
// they do, 20,000 at 630 if they do not). After an error those that are tried again do
// not count, so that errors come no faster than commits of few calls.
const manyCalls = 512

// pace waits until the next commit may begin, or until the end.
func (l *Ledger) pace() {
	wait := l.opts.CommitEvery - time.Since(l.flushed)
	if wait <= 0 {
		return
	}
	select {
	case <-time.After(wait):
	case <-l.due:
	case <-l.stop:
	}
}

// flush writes what is pending as one journal entry.
func (l *Ledger) flush(ctx context.Context) {
	l.mu.Lock()
	d := l.departLocked()
	l.mu.Unlock()
	if d == nil {
		return
	}
	begin := time.Now()
	l.flushed = begin
	size, err := l.store.set(ctx, journalKey(l.journal), d.entry)
	l.opts.Committed(time.Since(begin), err)

	l.mu.Lock()
	l.arriveLocked(d, err)
	l.mu.Unlock()
	if err != nil {
		l.opts.Logger.Error("A commit failed; nothing of it was acknowledged, and it is tried again", zap.Error(err))
		return
	}
	l.journal++
	l.unsaved += size
	if l.unsaved >= maxJournalBytes || l.journal-l.checkpoint >= maxJournalEntries {
		l.save(ctx)
	}
}
