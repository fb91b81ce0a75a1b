package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
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
