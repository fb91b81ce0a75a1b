package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// Begun is when these books began. Hours before it are [Inherited] until it is
// known what AnyCost held of them.
func (l *Ledger) Begun() time.Time { return l.begun }

// InheritAgain takes back what was found out of hours that began before the books:
// another connection, which they go to, may hold something else.
func (l *Ledger) InheritAgain(ctx context.Context) error {
	postings := make(map[billing.Hour]Posting)
	for _, h := range l.Hours() {
		if h.Posted.Origin == Kept || h.Posted.Origin == Added {
			h.Posted.Origin = Inherited
			postings[h.Hour] = h.Posted
		}
	}
	return l.MarkPosted(ctx, postings)
}

// KeepBase keeps rows, as JSON objects, that AnyCost held of an inherited hour
// before the books did. They are part of every replacement of the hour from now
// on.
func (l *Ledger) KeepBase(ctx context.Context, at billing.Hour, rows [][]byte) error {
	bytes := 0
	for _, r := range rows {
		bytes += len(r)
	}
	if len(rows) > 0 {
		// First the rows, then what refers to them.
		if _, err := l.store.set(ctx, baseKey(at), rows); err != nil {
			return err
		}
	}
	return l.settle(ctx, at, func(p *Posting) { p.Origin, p.BaseRows, p.BaseBytes = Kept, len(rows), bytes })
}

// Base returns the rows that [Ledger.KeepBase] keeps.
func (l *Ledger) Base(ctx context.Context, at billing.Hour) (rows [][]byte, err error) {
	found, err := l.store.get(ctx, baseKey(at), &rows)
	if err == nil && !found {
		err = fmt.Errorf("%w: the rows that AnyCost held of hour %s are not in the storage", ErrCorrupt, at)
	}
	return rows, err
}

// KeepAdded records what has been added to an hour that could not be read, by
// resource id, and that it is such an hour.
func (l *Ledger) KeepAdded(ctx context.Context, at billing.Hour, added map[string]cbf.Totals) error {
	stored := make(map[string]storedTotals, len(added))
	for id, t := range added {
		stored[id] = storeTotals(t)
	}
	if _, err := l.store.set(ctx, addedKey(at), stored); err != nil {
		return err
	}
	return l.settle(ctx, at, func(p *Posting) { p.Origin = Added })
}

// Added returns what [Ledger.KeepAdded] recorded.
func (l *Ledger) Added(ctx context.Context, at billing.Hour) (map[string]cbf.Totals, error) {
	var stored map[string]storedTotals
	if _, err := l.store.get(ctx, addedKey(at), &stored); err != nil {
		return nil, err
	}
	added := make(map[string]cbf.Totals, len(stored))
	for id, s := range stored {
		t, err := s.totals()
		if err != nil {
			return nil, err
		}
		added[id] = t
	}
	return added, nil
}

// settle changes what is known of an hour at AnyCost, and returns when that is
// in storage.
func (l *Ledger) settle(ctx context.Context, at billing.Hour, change func(*Posting)) error {
	l.mu.Lock()
	h, ok := l.hours[at]
	if !ok {
		l.mu.Unlock()
		return nil // it was let go meanwhile
	}
	p := h.Posted
	l.mu.Unlock()
	change(&p)
	return l.MarkPosted(ctx, map[billing.Hour]Posting{at: p})
}
