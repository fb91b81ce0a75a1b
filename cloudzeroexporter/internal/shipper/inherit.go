package shipper

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// origin settles how the hour shares with what AnyCost holds of it.
func (r *round) origin(ctx context.Context, h ledger.Summary) error {
	if r.adds && h.Posted.Origin != ledger.Added { // else a part of it may have been added
		return r.books.KeepAdded(ctx, h.Hour, nil)
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
		return r.books.KeepAdded(ctx, h.Hour, nil)
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

var errUnknownSum = errors.New("AnyCost's answer to an addition got lost, and the API key may not read whether it took effect: " +
	"adding again could double the hour. Compare the hour in CloudZero with the books")

// add adds to an hour that cannot be read what is new in it. A sum whose effect
// is unknown is never repeated.
func (r *round) add(ctx context.Context, c ledger.Contents) error {
	if !c.Closed(time.Now(), r.opts.Settle) {
		return nil
	}
	p := parcel{Summary: c.Summary}
	if c.Posted.Doubt != 0 {
		r.hold(p, errUnknownSum)
		return nil
	}
	added, err := r.books.Added(ctx, c.Hour)
	if errors.Is(err, ledger.ErrCorrupt) {
		r.hold(p, err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, row := range c.Rows {
		row.Totals = row.Sub(added[row.ResourceID()])
		if row.Requests > 0 {
			p.add(r.opts.Format, row)
		}
	}
	p.before = room{bytes: c.Posted.Bytes, rows: c.Posted.Rows}
	return r.addRows(ctx, c, p, added, anycost.MaxBodyBytes-envelopeBytes)
}

// addRows adds the parcel's rows in bodies of at most limit bytes, and records
// each before the next. A body that is too large had no effect, so its rows go in
// smaller ones.
func (r *round) addRows(ctx context.Context, c ledger.Contents, p parcel, added map[string]cbf.Totals, limit int) error {
	first := 0
	for _, part := range p.split(limit) {
		d := anycost.NewDrop(c.Hour.Month(), anycost.Sum)
		d.Add(part.rows, part.data)
		if err := r.post(ctx, d, []parcel{p}); err != nil {
			switch class := classOf(err); {
			case class == anycost.TooLarge && part.rows > 1:
				return r.addRows(ctx, c, p.from(r.opts.Format, first), added, len(part.data)/2)
			case class == anycost.Refused, class == anycost.TooLarge:
				r.hold(p, err)
				return nil
			default:
				return err
			}
		}
		for _, row := range p.rows[first : first+part.rows] {
			added[row.ResourceID()] = added[row.ResourceID()].Add(row.Totals)
		}
		first += part.rows
		if err := r.books.KeepAdded(context.WithoutCancel(ctx), c.Hour, added); err != nil {
			return err
		}
	}
	p.cost = c.Totals.Cost
	return r.posted(ctx, []parcel{p})
}
