package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

const (
	// archiveAfter is how long after its end an hour's identities go to the
	// archive: a call that is told again, or late, mostly comes before.
	archiveAfter = 24 * time.Hour
	// archivingTime is how long one round of maintenance moves hours; a commit may
	// wait for that.
	archivingTime = 100 * time.Millisecond
	// archiveAgain is when it is tried again after an error.
	archiveAgain = 5 * time.Minute
	// maxSlots bounds the slots of a retention of years.
	maxSlots = 366
)

// archive keeps identities of old hours, which are hardly ever looked at: in
// bbolt they are most of the file, and a start looks at all of it. It has slots,
// each a storage of its own that is open only while somebody uses it.
type archive struct {
	open func(ctx context.Context, slot int) (storage.Client, error) // nil: there is no archive
	// mu is held while a slot is open, because a file_storage cannot be opened
	// twice. Who holds Ledger.mu may take it, and not the other way round.
	mu sync.Mutex
}

// archiveIndexKey is where a slot lists the hours that it has.
const archiveIndexKey = "hours"

// archivedKey is where a slot has all identities of an hour.
func archivedKey(h billing.Hour) string { return "archived/" + strconv.FormatInt(int64(h), 10) }

// with opens a slot for as long as do runs.
func (a *archive) with(ctx context.Context, slot int, do func(store) error) error {
	if a.open == nil {
		return fmt.Errorf("identities of old hours are in slot %d of an archive, and there is none", slot)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	client, err := a.open(ctx, slot)
	if err != nil {
		return fmt.Errorf("open slot %d of the archive: %w", slot, err)
	}
	err = do(store{client})
	if closing := client.Close(context.WithoutCancel(ctx)); closing != nil {
		err = errors.Join(err, fmt.Errorf("close it: %w", closing))
	}
	if err != nil {
		return fmt.Errorf("slot %d of the archive: %w", slot, err)
	}
	return nil
}

// slotOf is the slot of an hour that goes to the archive for the first time: that
// of its day. When the turn of a slot comes again, the hours of its last day are
// older than the retention, and their place is used again. An hour that is held
// for longer shares the slot.
func slotOf(h billing.Hour, retention time.Duration) int {
	const day = 24 * time.Hour
	slots := min(int(retention/day)+1, maxSlots)
	return int(h.Start().Unix()/int64(day/time.Second)) % slots
}

// archived adds the identities that the archive has of an hour.
func (l *Ledger) archived(ctx context.Context, s *summary, to *identities) error {
	return l.archive.with(ctx, s.Slot, func(in store) error {
		key := archivedKey(s.Hour)
		return l.setAsideIn(ctx, in, key, in.addSeen(ctx, key, s.Hour, to))
	})
}

// movedChunks are stored chunks of an hour, from the first up to the last but one,
// that the archive has and that the next checkpoint deletes.
type movedChunks struct {
	hour        billing.Hour
	first, last int
}

// archiving moves identities of old hours that rest to the archive, the oldest
// first. It runs on the writing goroutine, which alone stores chunks and writes to
// the archive. A crash leaves identities in the archive too, but nowhere less.
//
// It returns whether a checkpoint is due, which tells of it and deletes the chunks.
func (l *Ledger) archiving(ctx context.Context, now time.Time) (moved bool) {
	if l.archive.open == nil || now.Before(l.archiveNext) {
		return len(l.moved) > 0
	}
	err := l.archiveDue(ctx, now, now.Add(archivingTime))
	if err == nil {
		l.archiveNext = time.Time{}
		return len(l.moved) > 0
	}
	if l.archiveNext.IsZero() {
		l.opts.Logger.Error("Identities of calls of old hours could not be moved to the archive; they stay where they are, and it is tried again",
			zap.Duration("every", archiveAgain), zap.Error(err))
	}
	l.archiveNext = now.Add(archiveAgain)
	return len(l.moved) > 0
}

// archiveDue moves what is due until the time is over. A slot that fails at once
// does not keep the others waiting.
func (l *Ledger) archiveDue(ctx context.Context, now, until time.Time) error {
	due, kept := l.archivable(now)
	failed := make(map[int]error)
	for i := range due {
		h := &due[i]
		if failed[h.Slot] != nil {
			continue
		}
		if !time.Now().Before(until) {
			break
		}
		if err := l.move(ctx, h, kept); err != nil {
			failed[h.Slot] = err
			continue
		}
		l.settleMove(h)
	}
	var errs []error
	for _, err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// archivable are the hours that can be moved, with the slots that they go to, and
// the slots of all hours in the books that are in the archive, -1 for those that
// are not.
func (l *Ledger) archivable(now time.Time) (due []summary, kept map[billing.Hour]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.hours {
		if h.contents != nil || h.changed || h.SeenChunks == h.SeenMoved || now.Sub(h.Hour.End()) <= l.opts.ArchiveAfter {
			continue
		}
		s := h.summary
		if s.SeenMoved == 0 {
			s.Slot = slotOf(s.Hour, l.opts.Retention)
		}
		due = append(due, s)
	}
	if len(due) == 0 {
		return nil, nil
	}
	slices.SortFunc(due, func(a, b summary) int { return cmp.Compare(a.Hour, b.Hour) })
	kept = make(map[billing.Hour]int, len(l.hours))
	for at, h := range l.hours {
		kept[at] = -1
		if h.SeenMoved > 0 {
			kept[at] = h.Slot
		}
	}
	return due, kept
}

// move writes all stored identities of an hour to its slot, and lets go there of
// hours that have left the books. A storage that applies only the first operations
// leaves values that the next move writes again, or deletes.
func (l *Ledger) move(ctx context.Context, h *summary, kept map[billing.Hour]int) error {
	var all identities
	if err := l.readSeen(ctx, h, &all); err != nil {
		return err
	}
	return l.archive.with(ctx, h.Slot, func(in store) error {
		var listed []int64
		_, err := in.get(ctx, archiveIndexKey, &listed)
		if err = l.setAsideIn(ctx, in, archiveIndexKey, err); err != nil {
			return err
		}
		next, gone := relist(listed, h, kept)
		var w writes
		w.set(archivedKey(h.Hour), all.packed())
		for _, at := range gone {
			w.delete(archivedKey(billing.Hour(at)))
		}
		w.set(archiveIndexKey, next)
		if w.err != nil {
			return w.err
		}
		return in.client.Batch(ctx, w.ops...)
	})
}

// relist is the list of a slot's hours when one more goes there, and those that
// have left the books.
func relist(listed []int64, h *summary, kept map[billing.Hour]int) (next, gone []int64) {
	next = append(next, int64(h.Hour))
	for _, at := range listed {
		if _, known := kept[billing.Hour(at)]; known {
			next = append(next, at)
		} else {
			gone = append(gone, at)
		}
	}
	for at, slot := range kept { // in case the list could not be read
		if slot == h.Slot {
			next = append(next, int64(at))
		}
	}
	slices.Sort(next)
	return slices.Compact(next), gone
}

// settleMove has the hour's identities looked for in the archive from now on. Calls
// may have come meanwhile; they go into chunks behind those that were moved, so
// that no chunk is written over that an older head names.
func (l *Ledger) settleMove(s *summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hours[s.Hour] // only this goroutine lets hours go
	l.moved = append(l.moved, movedChunks{s.Hour, h.SeenMoved, s.SeenChunks})
	h.SeenMoved, h.Slot = s.SeenChunks, s.Slot
}

// Archive moves all that is due at once. The books must not be open; open ones move
// it little by little.
func Archive(ctx context.Context, client storage.Client, opts Options) error {
	l, err := read(ctx, client, opts)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := l.archiveDue(ctx, now, now.Add(time.Hour)); err != nil {
		return err
	}
	l.save(ctx)
	if len(l.moved) > 0 {
		return errors.New("archive: the checkpoint failed")
	}
	return nil
}
