package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// Summary is what the books say of an hour without its rows.
type Summary struct {
	Hour billing.Hour
	// Revision grows with every change of a row.
	Revision uint64
	Rows     int
	Totals   cbf.Totals
	// Posted is what AnyCost is known to hold; zero when it was never posted.
	Posted Posting
}

// Unposted says whether AnyCost lacks something of the hour.
func (s Summary) Unposted() bool { return s.Revision > s.Posted.Revision }

// Waiting is the cost that AnyCost lacks.
func (s Summary) Waiting() billing.Amount {
	if s.Totals.Cost.Cmp(s.Posted.Cost) < 0 {
		return billing.Amount{} // the books have lost an unreadable piece
	}
	return s.Totals.Cost.Sub(s.Posted.Cost)
}

// Closed says whether the hour was over, and settled, at the time now.
func (s Summary) Closed(now time.Time, settle time.Duration) bool {
	return !now.Before(s.Hour.End().Add(settle))
}

// Contents are an hour with its rows.
type Contents struct {
	Summary
	Rows []cbf.Row
}

// Hours returns the summaries of all hours in the books, oldest first.
func (l *Ledger) Hours() []Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Summary, 0, len(l.hours))
	for _, h := range l.hours {
		all = append(all, h.summarize())
	}
	slices.SortFunc(all, func(a, b Summary) int { return cmp.Compare(a.Hour, b.Hour) })
	return all
}

func (s *summary) summarize() Summary {
	return Summary{Hour: s.Hour, Revision: s.Revision, Rows: s.Rows, Totals: s.Totals, Posted: s.Posted}
}

// Contents returns a copy of the hour as it is now, its rows in the order of
// their keys. An hour that is not in the books has none.
func (l *Ledger) Contents(ctx context.Context, at billing.Hour) (Contents, error) {
	s, rows, err := l.copyRows(ctx, at)
	if err != nil {
		return Contents{}, err
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	c := Contents{Summary: s, Rows: make([]cbf.Row, len(rows))}
	for i, r := range rows {
		d, err := r.key.Dimensions()
		if err != nil {
			return Contents{}, err
		}
		c.Rows[i] = cbf.Row{Dimensions: d, Labels: r.labels, Totals: r.totals}
	}
	return c, nil
}

// copyRows reads an hour that has left memory from its checkpoint, without the
// lock and without bringing it back: looking at the books must not hold up
// commits, nor fill memory.
func (l *Ledger) copyRows(ctx context.Context, at billing.Hour) (Summary, []row, error) {
	s, rows, known := l.rowsInMemory(at)
	if known {
		return s.summarize(), rows, nil
	}
	stored, err := l.readRows(ctx, &hour{summary: s})
	if err == nil && l.unchanged(s) {
		return s.summarize(), stored.copies(), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.hours[at]
	if !ok {
		return Summary{Hour: at}, nil, nil
	}
	if err := l.loadLocked(ctx, h); err != nil {
		return Summary{}, nil, err
	}
	return h.summarize(), h.copies(), nil
}

// rowsInMemory returns the hour's rows, or only its summary when memory does not
// have them.
func (l *Ledger) rowsInMemory(at billing.Hour) (s summary, rows []row, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.hours[at]
	switch {
	case !ok:
		return summary{Hour: at}, nil, true
	case h.contents == nil:
		return h.summary, nil, false
	default:
		return h.summary, h.copies(), true
	}
}

// unchanged says whether the hour is as its summary says, and still on disk only.
func (l *Ledger) unchanged(s summary) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.hours[s.Hour]
	return ok && h.contents == nil && h.summary == s
}

func (c *contents) copies() []row {
	rows := make([]row, 0, len(c.rows))
	for _, r := range c.rows {
		rows = append(rows, *r)
	}
	return rows
}

// MarkPosted records what is known of what AnyCost holds, and returns when that
// is in storage. It needs no hour's contents: after weeks without AnyCost they would
// fill memory.
func (l *Ledger) MarkPosted(ctx context.Context, postings map[billing.Hour]Posting) error {
	f, err := l.mark(postings)
	if err != nil {
		return err
	}
	return wait(ctx, f)
}

func (l *Ledger) mark(postings map[billing.Hour]Posting) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	for at, p := range postings {
		h, ok := l.hours[at]
		if !ok {
			continue // it was let go meanwhile
		}
		h.Posted = p // the head has it, not the hour's own value
		l.pending.of(h).posted = true
	}
	return l.flightLocked(), nil
}

// Balance is what the books hold.
type Balance struct {
	// Months are the sums of each month, oldest first.
	Months []Month
	// Rejected is the cost of calls that came too late for the books.
	Rejected    billing.Amount
	Hours, Rows int
	// Uncommitted is the number of calls that storage does not have yet.
	Uncommitted int
	// Identities is the number of calls and answers remembered in memory.
	Identities int
}

// Read is the cost of every call, of all months.
func (b Balance) Read() (sum billing.Amount) {
	for _, m := range b.Months {
		sum = sum.Add(m.Read)
	}
	return sum
}

// Posted is what AnyCost accepted of it.
func (b Balance) Posted() (sum billing.Amount) {
	for _, m := range b.Months {
		sum = sum.Add(m.Posted)
	}
	return sum
}

// Month is what the books hold of a month, and have held.
type Month struct {
	Month billing.Month
	// Read is the cost of every call; Posted is what AnyCost accepted of it.
	Read, Posted billing.Amount
	// Rows and Bytes are the size of what AnyCost accepted, Folded the number
	// of rows that it got as part of others.
	Rows, Bytes, Folded int
	// Unpriced is the number of calls that had no price, UnpricedTokens that of
	// their tokens.
	Unpriced, UnpricedTokens uint64
}

// Balance returns the books' balance.
func (l *Ledger) Balance() Balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := Balance{
		Rejected: l.rejected.Cost, Hours: len(l.hours),
		Uncommitted: l.pending.calls + l.writing, Identities: l.answers.heard.n + l.answers.displaced.n,
	}
	months := make(map[billing.Month]*Month)
	of := func(month billing.Month) *Month {
		if months[month] == nil {
			months[month] = &Month{Month: month}
		}
		return months[month]
	}
	for month, g := range l.gone {
		*of(month) = Month{
			Month: month, Read: g.totals.Cost, Posted: g.posted, Rows: g.rows, Bytes: g.bytes,
			Unpriced: g.totals.Unpriced, UnpricedTokens: g.totals.UnpricedTokens,
		}
	}
	for _, h := range l.hours {
		m := of(h.Hour.Month())
		m.Read, m.Posted = m.Read.Add(h.Totals.Cost), m.Posted.Add(h.Posted.Cost)
		m.Rows, m.Bytes, m.Folded = m.Rows+h.Posted.Rows, m.Bytes+h.Posted.Bytes, m.Folded+h.Posted.Folded
		m.Unpriced, m.UnpricedTokens = m.Unpriced+h.Totals.Unpriced, m.UnpricedTokens+h.Totals.UnpricedTokens
		b.Rows += h.Rows
		if h.contents != nil {
			b.Identities += h.seen.n
		}
	}
	for _, m := range months {
		b.Months = append(b.Months, *m)
	}
	slices.SortFunc(b.Months, func(a, b Month) int { return cmp.Compare(a.Month, b.Month) })
	return b
}
