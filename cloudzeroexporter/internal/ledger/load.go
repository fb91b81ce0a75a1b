package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// loadLocked brings the hour's contents back from its checkpoint.
func (l *Ledger) loadLocked(ctx context.Context, h *hour) error {
	h.used = time.Now()
	if h.contents != nil {
		return nil
	}
	c, unreadable := l.readRows(ctx, h)
	if unreadable != nil {
		if !errors.Is(unreadable, ErrCorrupt) || errors.Is(unreadable, ErrNewer) {
			return unreadable
		}
		c = newContents()
	}
	if err := l.readSeen(ctx, &h.summary, &c.seen); err != nil {
		return err
	}
	if unreadable != nil { // at last, because an hour that changed has its contents
		if err := l.loseLocked(ctx, h, unreadable); err != nil {
			return err
		}
	}
	h.contents = c
	h.Rows = len(h.rows)
	return nil
}

// readSeen adds the identities that the storage has of an hour, and the archive.
func (l *Ledger) readSeen(ctx context.Context, s *summary, to *identities) error {
	if s.SeenMoved > 0 {
		if err := l.archived(ctx, s, to); err != nil {
			return err
		}
	}
	for chunk := s.SeenMoved; chunk < s.SeenChunks; chunk++ {
		key := seenKey(s.Hour, chunk)
		if err := l.setAside(ctx, key, l.store.addSeen(ctx, key, s.Hour, to)); err != nil {
			return err
		}
	}
	return nil
}

// addSeen adds the identities that a value has of an hour.
func (s store) addSeen(ctx context.Context, key string, at billing.Hour, to *identities) error {
	var ids packed
	found, err := s.get(ctx, key, &ids)
	if err == nil && !found {
		err = fmt.Errorf("%w: calls of hour %s are not in the storage and may be billed again", ErrCorrupt, at)
	}
	if err != nil {
		return err
	}
	to.grow(len(ids) / idBytes)
	return unpackIDs(ids, func(id uint64) { to.add(id) })
}

func (l *Ledger) readRows(ctx context.Context, h *hour) (*contents, error) {
	c := &hour{summary: h.summary, contents: newContents()}
	var stored storedHour
	found, err := l.store.get(ctx, hourKey(h.Hour), &stored)
	if err != nil {
		return nil, err
	}
	if !found && h.Rows > 0 {
		return nil, fmt.Errorf("%w: hour %s is not in the storage", ErrCorrupt, h.Hour)
	}
	for i := range stored.Rows {
		if err := c.restore(&stored.Rows[i]); err != nil {
			return nil, err
		}
	}
	return c.contents, nil
}

// loseLocked gives up an hour's rows, which cannot be read. What AnyCost holds
// of them is read back before the hour is replaced; the rest is lost, and said.
func (l *Ledger) loseLocked(ctx context.Context, h *hour, reason error) error {
	if err := l.store.putAside(ctx, hourKey(h.Hour)); err != nil {
		return err
	}
	l.opts.Logger.Error("The rows of an hour cannot be read and were put aside; what AnyCost holds of them stays there",
		zap.Stringer("hour", h.Hour), zap.Stringer("cost", h.Totals.Cost), zap.Stringer("posted", h.Posted.Cost),
		zap.String("aside", asideKey(hourKey(h.Hour))), zap.Error(reason))
	l.gone[h.Hour.Month()] = l.gone[h.Hour.Month()].lose(h)
	lost := Posting{Origin: Own, Doubt: h.Posted.Doubt}
	if h.Posted.Revision > 0 || h.Posted.Doubt > 0 || h.Posted.Origin != Own {
		lost.Origin = Inherited
	}
	h.summary = summary{Hour: h.Hour, Revision: h.Revision + 1, SeenChunks: h.SeenChunks, SeenMoved: h.SeenMoved, Slot: h.Slot, Posted: lost}
	h.changed = true
	return nil
}
