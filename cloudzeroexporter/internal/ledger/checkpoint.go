package ledger

import (
	"context"
	"maps"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// save writes the checkpoint of every hour that changed, and lets go of the
// journal before it. It runs on the writing goroutine only, so no commit is
// being written meanwhile.
//
// The operations are in such an order that a storage that applies only the
// first ones leaves books that read the same: what is new comes before the head
// that names it, and what the head no longer names goes after it. What no commit
// has yet goes first, as a journal entry of its own: the hours contain it, and
// would without the entry that says what is in them.
func (l *Ledger) save(ctx context.Context) {
	now := time.Now()
	if now.Sub(l.tried) < maintainEvery && l.tried.After(l.saved) {
		return // it has just failed
	}
	l.tried = now
	l.mu.Lock()
	gone := l.letGoExpiredLocked(now) // what is pending keeps an hour
	d := l.departLocked()
	c := l.checkpointLocked(now, gone)
	l.mu.Unlock()
	ops, err := c.operations(d)
	if err == nil {
		err = l.store.client.Batch(ctx, ops...)
	}
	if d != nil {
		l.opts.Committed(time.Since(now), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.undoLocked(c)
	}
	if d != nil {
		l.arriveLocked(d, err)
	}
	if err != nil {
		l.opts.Logger.Error("A checkpoint failed; the journal keeps all that it holds, and it is tried again", zap.Error(err))
		return
	}
	l.checkpoint, l.unsaved, l.saved, l.seriesHead, l.moved = l.journal, 0, now, c.series.head, nil
	if d != nil {
		l.journal++ // read again at a start, and deleted by the next checkpoint
	}
	for _, g := range c.gone {
		l.opts.Logger.Info("An hour is older than the retention and has left the books",
			zap.Stringer("hour", g.Hour), zap.Stringer("cost", g.Totals.Cost))
	}
}

// checkpoint is one that is being written, and what to take back when it fails.
// It is a copy, so that commits go on while it is encoded.
type checkpoint struct {
	hours   []savedHour
	answers []savedAnswers
	expired map[billing.Hour]int // chunks of answers
	gone    []*hour
	moved   []movedChunks
	head    head
	// journal are the numbers of the entries that it makes superfluous, from the
	// first up to the last but one.
	journal [2]uint64
	series  savedSeries
}

type savedHour struct {
	*hour
	stored storedHour
	// unsaved are the identities that were new. The stored chunks were so many
	// before, and are so many after.
	unsaved       []byte
	before, after int
	// seen is written as the chunk of that number; together says that it is all.
	seen     []byte
	chunk    int
	together bool
}

// savedAnswers is a new chunk of answers.
type savedAnswers struct {
	storedAnswers
	chunk int
}

// letGoExpiredLocked closes the hours that have expired: what comes of them from
// now on is rejected.
func (l *Ledger) letGoExpiredLocked(now time.Time) (gone []*hour) {
	for _, h := range l.hours {
		if l.expiredLocked(h, now) {
			l.letGoLocked(h)
			gone = append(gone, h)
		}
	}
	return gone
}

// checkpointLocked takes what has changed. The journal has all of it, or gets it in
// the same write.
func (l *Ledger) checkpointLocked(now time.Time, gone []*hour) checkpoint {
	c := checkpoint{journal: [2]uint64{l.checkpoint, l.journal}, gone: gone, moved: l.moved}
	for _, h := range l.hours {
		if h.changed && (h.together || !l.opts.Volatile) {
			c.hours = append(c.hours, h.save())
		}
	}
	for _, list := range l.answers.unsaved {
		heard := billing.Hour(list.Heard)
		c.answers = append(c.answers, savedAnswers{list.storedAnswers, l.answers.chunks[heard]})
		l.answers.chunks[heard]++
	}
	l.answers.unsaved = nil
	c.series = l.saveSeriesLocked()
	c.expired = l.answers.forget(billing.HourOf(now) - answersKept)
	c.head = l.headLocked()
	return c
}

// save copies the whole hour, and takes the identities that are new.
func (h *hour) save() savedHour {
	s := savedHour{hour: h, unsaved: h.unsaved, before: h.SeenChunks, seen: h.unsaved, chunk: h.SeenChunks, together: h.together}
	if h.together {
		s.seen, s.chunk = h.seen.packed(), 0
	}
	if len(s.seen) > 0 {
		h.SeenChunks = s.chunk + 1
	}
	s.after = h.SeenChunks
	h.changed, h.together, h.unsaved, h.journaled = false, false, nil, 0
	s.stored.Rows = make([]storedRow, 0, len(h.rows))
	for _, r := range h.rows {
		s.stored.Rows = append(s.stored.Rows, r.stored())
	}
	return s
}

// operations are the checkpoint's, in the order that save needs, after the entry
// of what departs with it, if something does. That entry is not among those that
// the checkpoint makes superfluous: when its answer is an error, nobody knows
// whether it was written, and the same number is used again.
func (c *checkpoint) operations(d *departure) ([]*storage.Operation, error) {
	var w writes
	if d != nil {
		w.set(journalKey(c.journal[1]), d.entry)
	}
	for i := range c.hours {
		h := &c.hours[i]
		if len(h.seen) > 0 {
			w.set(seenKey(h.Hour, h.chunk), h.seen)
		}
		w.set(hourKey(h.Hour), &h.stored)
	}
	for i := range c.answers {
		w.set(answersKey(billing.Hour(c.answers[i].Heard), c.answers[i].chunk), &c.answers[i].storedAnswers)
	}
	c.series.write(&w)
	w.set(headKey, &c.head)
	for number := c.journal[0]; number < c.journal[1]; number++ {
		w.delete(journalKey(number))
	}
	c.series.deleteOld(&w)
	for heard, chunks := range c.expired {
		for chunk := range chunks {
			w.delete(answersKey(heard, chunk))
		}
	}
	for i := range c.hours {
		for chunk := c.hours[i].after; chunk < c.hours[i].before; chunk++ {
			w.delete(seenKey(c.hours[i].Hour, chunk))
		}
	}
	for _, m := range c.moved {
		for chunk := m.first; chunk < m.last; chunk++ {
			w.delete(seenKey(m.hour, chunk))
		}
	}
	for _, h := range c.gone {
		w.delete(hourKey(h.Hour))
		if h.Posted.Origin != Own {
			w.delete(baseKey(h.Hour))
			w.delete(addedKey(h.Hour))
		}
		for chunk := range h.SeenChunks {
			w.delete(seenKey(h.Hour, chunk))
		}
	}
	return w.ops, w.err
}

func (l *Ledger) headLocked() head {
	h := head{
		Begun: l.begun.Unix(), Journal: l.journal, AnswerChunks: make(map[int64]int, len(l.answers.chunks)), Gone: make(map[int64]storedGone, len(l.gone)),
		Rejected: storeTotals(l.rejected), Answers: l.answers.heard.n, Displaced: l.answers.displaced.n,
	}
	for month, g := range l.gone {
		h.Gone[int64(month)] = g.stored()
	}
	for _, kept := range l.hours {
		h.Hours = append(h.Hours, storeSummary(&kept.summary))
	}
	for at := range l.tombs {
		h.Tombs = append(h.Tombs, int64(at))
	}
	for heard, chunks := range l.answers.chunks {
		h.AnswerChunks[int64(heard)] = chunks
	}
	return h
}

// undoLocked makes everything unsaved again that a failed checkpoint was to
// save. The chunks it may have written are written over by the next one.
func (l *Ledger) undoLocked(c checkpoint) {
	for _, h := range c.hours {
		h.SeenChunks = h.before
		h.hour.unsaved = append(h.unsaved, h.hour.unsaved...)
		h.journaled += len(h.unsaved)
		h.changed, h.hour.together = true, h.together
	}
	maps.Copy(l.answers.chunks, c.expired)
	for _, saved := range c.answers {
		l.answers.chunks[billing.Hour(saved.Heard)]--
		l.answers.keepUnsaved([]storedAnswers{saved.storedAnswers})
	}
	l.series.PutBackUnsaved(c.series.ids)
	for _, h := range c.gone {
		l.takeBackLocked(h)
	}
}

func (l *Ledger) letGoLocked(h *hour) {
	l.gone[h.Hour.Month()] = l.gone[h.Hour.Month()].add(h)
	if h.Posted.Revision > 0 {
		l.tombs[h.Hour] = struct{}{}
	}
	delete(l.hours, h.Hour)
}

func (l *Ledger) takeBackLocked(h *hour) {
	if _, begun := l.hours[h.Hour]; begun {
		return // it was never posted, and calls have opened it anew
	}
	l.gone[h.Hour.Month()] = l.gone[h.Hour.Month()].sub(h)
	delete(l.tombs, h.Hour)
	l.hours[h.Hour] = h
}
