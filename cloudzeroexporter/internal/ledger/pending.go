package ledger

// pending is what memory has and the journal has not. Its identities lie in the
// hours, and its answers beside the others: what no chunk has, less what is
// journaled.
type pending struct {
	changes []*change
	// calls is the number of calls in it.
	calls int
}

// change is what is pending of one hour.
type change struct {
	hour   *hour
	rows   []*row
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
		c.posted = c.posted || old.posted
		for _, r := range old.rows {
			c.touch(r)
		}
	}
	p.calls += taken.calls
}
