package ledger

// pending is what memory has and the journal has not. Its identities lie in the
// hours, and its answers beside the others: what no chunk has, less what is
// journaled.
type pending struct {
	changes []*change
	// calls is the number of calls in it, and recalled those of them that a failed
	// commit had taken along.
	calls, recalled int
	// spare are changes that were written, for the next ones; their rows have room.
	spare []*change
}

// maxSpare is how many changes are kept: most commits are of one hour, or two.
const maxSpare = 4

// change is what is pending of one hour.
type change struct {
	hour   *hour
	rows   []*row
	posted bool
}

// of returns the hour's change, which is made when it is the first.
func (p *pending) of(h *hour) *change {
	if h.pending == nil {
		h.pending = p.blank()
		h.pending.hour = h
		p.changes = append(p.changes, h.pending)
	}
	return h.pending
}

func (p *pending) blank() *change {
	last := len(p.spare) - 1
	if last < 0 {
		return new(change)
	}
	c := p.spare[last]
	p.spare = p.spare[:last]
	return c
}

func (p *pending) empty() bool { return len(p.changes) == 0 }

// touch makes the row pending.
func (c *change) touch(r *row) {
	if !r.pending {
		r.pending = true
		c.rows = append(c.rows, r)
	}
}

// take empties p and returns what was in it. From now on a change of the same
// hours and rows is pending again.
func (p *pending) take() pending {
	taken := *p
	*p = pending{spare: p.spare}
	for _, c := range taken.changes {
		c.hour.pending = nil
		for _, r := range c.rows {
			r.pending = false
		}
	}
	return taken
}

// recycle keeps the room of what was taken and is written.
func (p *pending) recycle(taken pending) {
	for _, c := range taken.changes[:min(len(taken.changes), maxSpare-len(p.spare))] {
		clear(c.rows)
		*c = change{rows: c.rows[:0]}
		p.spare = append(p.spare, c)
	}
}

// restore puts back what was taken and could not be written.
func (p *pending) restore(taken pending) {
	for _, old := range taken.changes {
		c := p.of(old.hour)
		c.posted = c.posted || old.posted
		for _, r := range old.rows {
			c.touch(r)
		}
	}
	p.calls += taken.calls
	p.recalled += taken.calls
}
