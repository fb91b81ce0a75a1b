package shipper

import (
	"context"
	"encoding/json"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// origin settles how the hour shares with what AnyCost holds of it.
func (r *round) origin(ctx context.Context, h ledger.Summary) error {
	if r.adds && h.Posted.Origin != ledger.Added { // else a part of it may have been added
		return r.books.KeepAddition(ctx, h.Hour, ledger.Addition{}, h.Posted.Doubt)
	}
	return r.inherit(ctx, h)
}

// inherit finds out what AnyCost held of an hour before the books did, so that
// replacing the hour does not erase it. Where the key may not read, the hour
// becomes one whose calls are added.
func (r *round) inherit(ctx context.Context, h ledger.Summary) error {
	if h.Posted.Origin != ledger.Inherited {
		return nil
	}
	rows, err := r.inherited(ctx, h.Hour)
	if classOf(err) == anycost.Forbidden && err != nil {
		r.opts.Logger.Warn("The API key may not read billing drops, so that what CloudZero holds of an hour before these books began "+
			"cannot be kept by replacing it; what is new is added to it once, when it has closed", zap.Stringer("hour", h.Hour), zap.Error(err))
		return r.books.KeepAddition(ctx, h.Hour, ledger.Addition{}, h.Posted.Doubt)
	}
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		r.opts.Logger.Info("An hour from before these books began holds rows at CloudZero; they are kept",
			zap.Stringer("hour", h.Hour), zap.Int("rows", len(rows)))
	}
	return r.books.KeepBase(ctx, h.Hour, rows)
}

// inherited are the rows that AnyCost holds of an inherited hour. All such
// hours of a month are read at once.
func (r *round) inherited(ctx context.Context, at billing.Hour) ([][]byte, error) {
	month := at.Month()
	if r.months[month] == nil {
		wanted := make(map[billing.Hour]bool)
		for _, h := range r.books.Hours() {
			if h.Hour.Month() == month && h.Posted.Origin == ledger.Inherited {
				wanted[h.Hour] = true
			}
		}
		held := make(map[billing.Hour][][]byte)
		err := r.client.Read(ctx, month, func(row anycost.Row) error {
			hour, err := row.Hour()
			if err != nil || !wanted[hour] {
				return nil //nolint:nilerr // a row of another kind is none of an hour
			}
			raw, err := json.Marshal(row)
			held[hour] = append(held[hour], raw)
			return err
		})
		if err != nil {
			return nil, err
		}
		if r.months == nil {
			r.months = make(map[billing.Month]map[billing.Hour][][]byte)
		}
		r.months[month] = held
	}
	return r.months[month][at], nil
}
