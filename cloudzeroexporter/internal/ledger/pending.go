package ledger

// pending is what memory has and the journal has not.
type pending struct {
	changes []*change
	answers answerLists
	// calls is the number of calls in it.
	calls int
}

// change is what is pending of one hour.
type change struct {
	hour   *hour
	rows   []*row
	seen   []byte // identities, packed
	posted bool
}

// of returns the hour's change, which is made when it is the first.
func (p *pending) of(h *hour) *change {
	if h.pending == nil {
		h.pending = &change{hour: h}
		p.changes = append(p.changes, h.pending)
	}
	return h.pending
}

func (p *pending) empty() bool { return len(p.changes) == 0 && len(p.answers) == 0 }

// take empties p and returns what was in it. From now on a change of the same
// hours and rows is pending again.
func (p *pending) take() pending {
	taken := *p
	*p = pending{}
	for _, c := range taken.changes {
		c.hour.pending = nil
		for _, r := range c.rows {
			r.pending = false
		}
	}
	return taken
}

// restore puts back what was taken and could not be written.
func (p *pending) restore(taken pending) {
	for _, old := range taken.changes {
		c := p.of(old.hour)
		c.seen = append(c.seen, old.seen...)
		c.posted = c.posted || old.posted
		for _, r := range old.rows {
			if !r.pending {
				r.pending = true
				c.rows = append(c.rows, r)
			}
		}
	}
	p.answers.addAll(taken.answers)
	p.calls += taken.calls
}

// usualRowBytes is what most rows take in the journal.
const usualRowBytes = 128

// entry is the journal entry of what is pending.
func (p *pending) entry() writtenEntry {
	var e writtenEntry
	for _, c := range p.changes {
		s := writtenChange{Hour: int64(c.hour.Hour), Revision: c.hour.Revision, Seen: c.seen}
		s.Rows = appendRows(make([]byte, 0, len(c.rows)*usualRowBytes), c.rows)
		if c.posted {
			posted := storePosting(c.hour.Posted)
			s.Posted = &posted
		}
		e.Hours = append(e.Hours, s)
	}
	e.Answers = p.answers
	return e
}
