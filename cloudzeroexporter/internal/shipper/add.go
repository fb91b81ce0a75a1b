package shipper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// add adds to an hour that cannot be replaced what is new in it. An addition
// whose effect is unknown is never repeated.
func (r *round) add(ctx context.Context, c ledger.Contents) error {
	if !c.Closed(time.Now(), r.opts.Settle) {
		return nil
	}
	a, err := r.books.Addition(ctx, c.Hour)
	if errors.Is(err, ledger.ErrCorrupt) {
		r.hold(parcel{Summary: c.Summary}, err)
		return nil
	}
	if err != nil {
		return err
	}
	if c.Posted.Doubt != 0 {
		v, err := r.verdict(ctx, c.Summary, a)
		switch {
		case err != nil:
			return err
		case v == mayCome:
			return nil
		case v == unknown:
			r.holdDoubt(c.Summary, a)
			return nil
		}
		if a, err = r.end(ctx, c.Hour, a, v == took); err != nil {
			return err
		}
		c.Posted = a.Posting(c.Posted, 0)
	}
	p := parcel{Summary: c.Summary}
	for _, row := range c.Rows {
		row.Totals = row.Sub(a.Done.Totals[row.ResourceID()])
		if row.Requests > 0 {
			p.add(r.opts.Format, row)
		}
	}
	if len(p.rows) > 0 {
		if a.Before, err = r.holding(ctx, c.Hour); err != nil {
			return err
		}
	}
	return r.addRows(ctx, p, a, anycost.MaxBodyBytes-envelopeBytes)
}

// addRows adds the parcel's rows in bodies of at most limit bytes, and records
// each before the next. A body that is too large had no effect, so its rows go in
// smaller ones.
func (r *round) addRows(ctx context.Context, p parcel, a ledger.Addition, limit int) error {
	first := 0
	for _, part := range p.split(limit) {
		a.Asked = askedOf(p.rows[first:first+part.rows], part)
		if err := r.ask(ctx, p, part, a); err != nil {
			switch class := classOf(err); {
			case class == anycost.TooLarge && part.rows > 1:
				rest := packed(r.opts.Format, p.Summary, nil, p.rows[first:])
				return r.addRows(ctx, rest, a, len(part.data)/2)
			case class == anycost.Refused, class == anycost.TooLarge:
				r.hold(p, err)
				return nil
			default:
				return err
			}
		}
		var err error
		if a, err = r.end(ctx, p.Hour, a, true); err != nil {
			return err
		}
		p.Posted = a.Posting(p.Posted, 0)
		first += part.rows
	}
	p.cost = p.Totals.Cost
	p.before = room{bytes: a.Done.Bytes - len(p.data), rows: a.Done.Rows - len(p.ends)}
	return r.posted(ctx, []parcel{p})
}

// askedOf are the rows of a part.
func askedOf(rows []cbf.Row, part part) ledger.AddedRows {
	asked := ledger.AddedRows{Totals: make(map[string]cbf.Totals, len(rows)), Rows: part.rows, Bytes: len(part.data)}
	for _, row := range rows {
		asked.Totals[row.ResourceID()] = row.Totals
	}
	return asked
}

// ask makes the request of an addition. Before it, the books record what it asks
// and that nobody knows its effect, and after a no that it had none.
func (r *round) ask(ctx context.Context, p parcel, part part, a ledger.Addition) error {
	d := anycost.NewDrop(p.Hour.Month(), anycost.Sum)
	d.Add(part.rows, part.data)
	before := map[billing.Hour]ledger.Posting{p.Hour: p.Posted}
	delete(r.taken, p.Hour)
	lasting := context.WithoutCancel(ctx)
	if err := r.books.KeepAddition(lasting, p.Hour, a, time.Now().Unix()); err != nil {
		_ = r.books.MarkPosted(lasting, before) // nothing was sent; memory takes it back at once
		return fmt.Errorf("not posted, because the books could not record it: %w", err)
	}
	err := r.send(ctx, d)
	if err != nil && !mayHaveEffect(err) {
		if err := r.books.MarkPosted(lasting, before); err != nil {
			r.opts.Logger.Warn("The books could not record yet that AnyCost refused an addition", zap.Error(err))
		}
	}
	return err
}

// end records that an addition took effect, or that it did not, and returns what
// is known then.
func (r *round) end(ctx context.Context, at billing.Hour, a ledger.Addition, tookEffect bool) (ledger.Addition, error) {
	next := a.Refused()
	if tookEffect {
		next = a.Taken()
	}
	if err := r.books.KeepAddition(context.WithoutCancel(ctx), at, next, 0); err != nil {
		r.taken[at] = tookEffect // the books still doubt it
		return a, fmt.Errorf("what became of an addition to hour %s could not be recorded, and will be: %w", at, err)
	}
	delete(r.taken, at)
	return next, nil
}
