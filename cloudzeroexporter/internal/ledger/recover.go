package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// recover reads the books as the last process left them: the head, the answers,
// then the journal, which brings the hours along that it continues.
func (l *Ledger) recover(ctx context.Context) error {
	var h head
	found, err := l.store.get(ctx, headKey, &h)
	if err != nil {
		return err
	}
	if found {
		err = l.readHead(&h)
	} else {
		err = l.begin(ctx)
	}
	if err != nil {
		return err
	}
	if err := l.readAnswers(ctx); err != nil {
		return err
	}
	if err := l.readSeries(ctx); err != nil {
		return err
	}
	return l.readJournal(ctx, h.Journal)
}

// begin begins new books: hours before this moment may be at AnyCost already.
func (l *Ledger) begin(ctx context.Context) error {
	l.begun = time.Now().Truncate(time.Second)
	if err := l.store.fence(ctx); err != nil {
		return err
	}
	_, err := l.store.set(ctx, headKey, l.headLocked())
	return err
}

func (l *Ledger) readHead(h *head) error {
	l.begun = time.Unix(h.Begun, 0)
	for month, stored := range h.Gone {
		g, err := stored.gone()
		if err != nil {
			return err
		}
		l.gone[billing.Month(month)] = g //nolint:gosec // it was one when it was stored
	}
	rejected, err := h.Rejected.totals()
	if err != nil {
		return err
	}
	l.rejected = rejected
	for i := range h.Hours {
		s, err := h.Hours[i].summary()
		if err != nil {
			return err
		}
		l.hours[s.Hour] = &hour{summary: s}
	}
	for _, at := range h.Tombs {
		l.tombs[billing.Hour(at)] = struct{}{}
	}
	for heard, chunks := range h.AnswerChunks {
		l.answers.chunks[billing.Hour(heard)] = chunks
	}
	l.answers.heard.grow(h.Answers)
	l.answers.displaced.grow(h.Displaced)
	return nil
}

func (l *Ledger) readAnswers(ctx context.Context) error {
	for _, heard := range slices.Sorted(maps.Keys(l.answers.chunks)) { // the last time holds
		for chunk := range l.answers.chunks[heard] {
			key := answersKey(heard, chunk)
			var stored storedAnswers
			found, err := l.store.get(ctx, key, &stored)
			if err == nil && !found {
				err = fmt.Errorf("%w: answers that were heard in %s are not in the storage", ErrCorrupt, heard)
			}
			if err == nil {
				err = l.answers.restoreAll(&stored)
			}
			if err = l.setAside(ctx, key, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// readJournal applies all entries from number on.
func (l *Ledger) readJournal(ctx context.Context, number uint64) error {
	l.checkpoint = number
	touched := make(map[*hour]bool)
	for ; ; number++ {
		var e entry
		found, err := l.store.get(ctx, journalKey(number), &e)
		if err == nil && !found {
			break
		}
		if number < l.seriesHead.Journal {
			e.Series = nil
		}
		if err == nil {
			err = l.replay(ctx, &e, touched)
		}
		if err = l.setAside(ctx, journalKey(number), err); err != nil {
			return err
		}
	}
	l.journal = number
	for h := range touched {
		h.recount()
	}
	return nil
}

func (l *Ledger) replay(ctx context.Context, e *entry, touched map[*hour]bool) error {
	for i := range e.Hours {
		change := &e.Hours[i]
		at := billing.Hour(change.Hour)
		h, ok := l.hours[at]
		if !ok {
			h = l.newHourLocked(at)
		}
		if err := h.replayPosting(change); err != nil {
			return err
		}
		if len(change.Rows) == 0 && len(change.Seen) == 0 {
			continue // nobody needs what the hour contains
		}
		touched[h] = true
		if err := l.loadLocked(ctx, h); err != nil {
			return err
		}
		if err := h.replay(change); err != nil {
			return err
		}
	}
	for i := range e.Answers {
		if err := l.answers.restoreAll(&e.Answers[i]); err != nil {
			return err
		}
	}
	l.answers.keepUnsaved(e.Answers)
	return l.restoreSeries(e.Series, true)
}

// replayPosting applies what a journal entry says that AnyCost holds of the hour.
func (h *hour) replayPosting(c *storedChange) error {
	h.Revision = max(h.Revision, c.Revision)
	if c.Posted == nil {
		return nil
	}
	posted, err := c.Posted.posting()
	if err == nil {
		h.Posted = posted
	}
	return err
}

// replay applies what a journal entry says of the hour's calls.
func (h *hour) replay(c *storedChange) error {
	h.changed = true
	for i := range c.Rows {
		if err := h.restore(&c.Rows[i]); err != nil {
			return err
		}
	}
	err := unpackIDs(c.Seen, func(id uint64) {
		if h.seen.add(id) {
			h.unsaved = appendID(h.unsaved, id)
		}
	})
	h.journaled = len(h.unsaved)
	return err
}

// recount adds up the rows anew.
func (h *hour) recount() {
	h.Totals = cbf.Totals{}
	for _, r := range h.rows {
		h.Totals = h.Totals.Add(r.totals)
	}
}

// restoreAll takes over stored answers.
func (a *answers) restoreAll(s *storedAnswers) error {
	for kind := range answerKinds {
		err := unpackIDs(*s.of(kind), func(id uint64) { a.restore(answer{id, billing.Hour(s.Heard), kind}) })
		if err != nil {
			return err
		}
	}
	return nil
}

// setAside puts an unreadable value where it does no harm, says so, and lets
// the rest go on. Every other error is returned.
func (l *Ledger) setAside(ctx context.Context, key string, err error) error {
	return l.setAsideIn(ctx, l.store, key, err)
}

func (l *Ledger) setAsideIn(ctx context.Context, in store, key string, err error) error {
	if !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewer) {
		return err
	}
	l.opts.Logger.Error("A value in the storage cannot be read and was put aside; calls in it may be missing from the books",
		zap.String("key", key), zap.String("aside", asideKey(key)), zap.Error(err))
	return in.putAside(ctx, key)
}
