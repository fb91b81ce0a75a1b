package ledger

// flight is one commit, and those who wait for it.
type flight struct {
	done chan struct{} // closed when err is set
	err  error
}

// departure is a flight that has departed, and what it takes along.
type departure struct {
	*flight
	entry  writtenEntry
	taken  pending
	series []uint64
}

// usualRowBytes is what most rows take in the journal.
const usualRowBytes = 128

// departLocked takes what is pending, or returns nil when nothing is.
func (l *Ledger) departLocked() *departure {
	if l.writtenLocked() {
		return nil
	}
	d := &departure{flight: l.nextLocked(), taken: l.pending.take()} // nobody may wait for it yet, but somebody may join
	for _, c := range d.taken.changes {
		d.entry.Hours = append(d.entry.Hours, c.written())
	}
	d.entry.Answers = l.answers.takeUnjournaled()
	d.entry.Series, d.series = l.series.TakeUnwritten()
	l.next, l.flying, l.writing = nil, d.flight, d.taken.calls
	select {
	case <-l.due: // all that was due departs
	default:
	}
	return d
}

// written is the change as the journal has it. Its identities are journaled from
// now on; what is appended to them later lies behind the slice.
func (c *change) written() writtenChange {
	h := c.hour
	w := writtenChange{
		Hour: int64(h.Hour), Revision: h.Revision, Rows: appendRows(make([]byte, 0, len(c.rows)*usualRowBytes), c.rows),
	}
	if h.contents != nil {
		w.Seen = h.unsaved[h.journaled:]
		h.journaled = len(h.unsaved)
	}
	if c.posted {
		posted := storePosting(h.Posted)
		w.Posted = &posted
	}
	return w
}

// arriveLocked tells those who wait for the flight how it ended.
func (l *Ledger) arriveLocked(d *departure, err error) {
	l.flying, l.writing = nil, 0
	if err != nil {
		l.recallLocked(d)
	} else {
		l.pending.recycle(d.taken)
	}
	d.err = err
	close(d.done)
}

// recallLocked makes pending again what a failed flight took along.
func (l *Ledger) recallLocked(d *departure) {
	l.pending.restore(d.taken)
	for i, c := range d.taken.changes {
		if taken := len(d.entry.Hours[i].Seen); taken > 0 {
			c.hour.journaled -= taken
		}
	}
	l.answers.putBack(d.entry.Answers)
	l.series.PutBack(d.series)
}
