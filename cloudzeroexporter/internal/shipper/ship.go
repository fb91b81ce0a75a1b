package shipper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// round is one pass over hours that are to be posted. It runs on the shipper's
// goroutine.
type round struct {
	*Shipper
	report Report
	// progress is that of the export; nil when nobody asked for the round.
	progress *Progress
	// adds says that the hours are added to what AnyCost holds.
	adds bool

	// What AnyCost said in this round.
	counts  map[string]int
	guarded map[billing.Month]bool
	months  map[billing.Month]map[billing.Hour][][]byte
	// holdings are nil for hours that cannot be added up.
	holdings map[billing.Month]map[billing.Hour]*ledger.Holding

	budgets map[billing.Month]budget // since the last post
}

// shipAll posts the hours, oldest first. An hour that AnyCost refuses is held
// and does not stop the others; the error is why the round had to stop.
func (r *round) shipAll(ctx context.Context, hours []ledger.Summary) error {
	var l load
	for _, h := range hours {
		blocked, err := r.blocked(ctx, h.Hour.Month())
		if err == nil && !blocked {
			err = r.origin(ctx, h)
		}
		if err != nil {
			return errors.Join(err, r.ship(ctx, l.parcels))
		}
		if blocked {
			continue
		}
		c, err := r.books.Contents(ctx, h.Hour)
		switch {
		case err != nil:
			return errors.Join(err, r.ship(ctx, l.parcels))
		case c.Posted.Origin == ledger.Added:
			if err := r.add(ctx, c); err != nil {
				return errors.Join(err, r.ship(ctx, l.parcels))
			}
			continue
		}
		p, err := r.wrap(ctx, c)
		if errors.Is(err, ledger.ErrCorrupt) {
			r.hold(parcel{Summary: h}, err)
			continue
		}
		if err != nil {
			return errors.Join(err, r.ship(ctx, l.parcels))
		}
		if !l.takes(p) {
			if err := r.ship(ctx, l.parcels); err != nil {
				return err
			}
			l = load{}
		}
		l.add(p)
	}
	return r.ship(ctx, l.parcels)
}

// wrap makes the parcel of an hour: what AnyCost held before the books, and the
// books' rows.
func (r *round) wrap(ctx context.Context, c ledger.Contents) (p parcel, err error) {
	var base [][]byte
	if c.Posted.BaseRows > 0 {
		if base, err = r.books.Base(ctx, c.Hour); err != nil {
			return p, err
		}
	}
	return wrap(r.opts.Format, c, base, r.allowance(c.Summary, time.Now())), nil
}

// ship posts hours of one month, in one body if AnyCost takes it so.
func (r *round) ship(ctx context.Context, parcels []parcel) error {
	if len(parcels) == 0 {
		return nil
	}
	d := dropOf(parcels)
	if d.Rows() == 0 {
		return r.posted(ctx, parcels) // the rows were lost, so there is nothing to send
	}
	single := len(parcels) == 1
	if single && envelopeBytes+len(parcels[0].data) > anycost.MaxBodyBytes {
		return r.shipInParts(ctx, parcels[0], anycost.MaxBodyBytes-envelopeBytes)
	}
	err := r.post(ctx, d, parcels)
	if err == nil {
		return r.posted(ctx, parcels)
	}
	switch classOf(err) {
	case anycost.TooLarge:
		if single {
			return r.shipInParts(ctx, parcels[0], len(parcels[0].data)/2)
		}
		half := len(parcels) / 2
		if err := r.ship(ctx, parcels[:half]); err != nil {
			return err
		}
		return r.ship(ctx, parcels[half:])
	case anycost.Refused:
		if single {
			return r.isolate(ctx, parcels[0], err)
		}
		for i := range parcels {
			if err := r.ship(ctx, parcels[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	default:
		return err
	}
}

// shipInParts posts an hour that is too large for one body: the first part
// replaces the hour, the others add to it. Whatever goes wrong in between, the
// hour stays due, and the next attempt begins with the replacement again: a sum
// must never be repeated by itself.
func (r *round) shipInParts(ctx context.Context, p parcel, limit int) error {
	operation := anycost.ReplaceHourly
	for _, part := range p.split(limit) {
		d := anycost.NewDrop(p.Hour.Month(), operation)
		d.Add(part.rows, part.data)
		err := r.post(ctx, d, []parcel{p})
		if err != nil && operation == anycost.Sum && p.Posted.Doubt == 0 {
			// AnyCost holds a part of the hour. A definite no to what comes next
			// must not make it seem whole, as it was before.
			p.Posted.Doubt = time.Now().Unix()
		}
		switch class := classOf(err); {
		case err == nil:
			operation = anycost.Sum
		case class == anycost.TooLarge && part.rows > 1:
			return r.shipInParts(ctx, p, len(part.data)/2)
		case class == anycost.TooLarge:
			r.hold(p, err)
			return nil
		case class == anycost.Refused:
			return r.isolate(ctx, p, err)
		default:
			return err
		}
	}
	return r.posted(ctx, []parcel{p})
}

// post makes one request with rows of the parcels that replaces, or goes on replacing,
// their hours. Before it, the books record that nobody knows its effect, and after a no that
// it had none: a crash at any time leaves the doubt behind.
func (r *round) post(ctx context.Context, d *anycost.Drop, parcels []parcel) error {
	begin := time.Now()
	// A part of an hour, which was begun, leaves the hour in doubt whatever comes.
	begun := d.Operation == anycost.Sum
	if err := r.doubt(ctx, parcels, func(parcel) int64 { return begin.Unix() }); err != nil {
		if !begun {
			_ = r.doubt(ctx, parcels, doubtBefore) // nothing was sent; memory takes it back at once
		}
		return fmt.Errorf("not posted, because the books could not record it: %w", err)
	}
	err := r.send(ctx, d)
	if err != nil && !mayHaveEffect(err) && !begun {
		if err := r.doubt(ctx, parcels, doubtBefore); err != nil {
			r.opts.Logger.Warn("The books could not record that AnyCost refused hours; they are posted once more than needed", zap.Error(err))
		}
	}
	return err
}

// send makes the request and tells the observer of it.
func (r *round) send(ctx context.Context, d *anycost.Drop) error {
	begin := time.Now()
	_, err := r.client.Post(ctx, d)
	result := "accepted"
	if err != nil {
		result = classOf(err).String()
	}
	r.opts.Posted(result, time.Since(begin))
	return err
}

// mayHaveEffect says whether a request that ended with the error can have changed
// what AnyCost holds, or may yet.
func mayHaveEffect(err error) bool {
	var answer *anycost.Error
	return errors.As(err, &answer) && answer.Effect()
}

// doubtBefore is since when nobody knew before the request.
func doubtBefore(p parcel) int64 { return p.Posted.Doubt }

// doubt records since when nobody knows what AnyCost holds of the hours.
func (r *round) doubt(ctx context.Context, parcels []parcel, since func(parcel) int64) error {
	postings := make(map[billing.Hour]ledger.Posting, len(parcels))
	for _, p := range parcels {
		posting := p.Posted
		posting.Doubt = since(p)
		postings[p.Hour] = posting
	}
	return r.books.MarkPosted(context.WithoutCancel(ctx), postings)
}

// posted records that AnyCost holds the hours.
func (r *round) posted(ctx context.Context, parcels []parcel) error {
	now := time.Now()
	r.budgets = nil
	postings := make(map[billing.Hour]ledger.Posting, len(parcels))
	for _, p := range parcels {
		doubt := p.Posted.Doubt
		if p.settled(now) {
			doubt = 0
		}
		postings[p.Hour] = p.posting(now.Unix(), doubt)
	}
	// Also when we are being shut down: the answer is there.
	if err := r.books.MarkPosted(context.WithoutCancel(ctx), postings); err != nil {
		return fmt.Errorf("%s and %d more hours were posted, and will be again because that could not be recorded: %w",
			parcels[0].Hour, len(parcels)-1, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range parcels {
		delete(r.held, p.Hour)
		if others, known := r.others[p.Hour.Month()]; known && p.Posted.Revision == 0 {
			r.others[p.Hour.Month()] = others - p.Posted.BaseRows // they are in the books now
		}
		if p.refused.Rows > 0 {
			r.holdLocked(p.refused)
		}
		if p.folded > 0 && r.folded[p.Hour] != p.Revision {
			r.folded[p.Hour] = p.Revision
			r.opts.Logger.Warn("The month's allowance is short: the cheapest rows of an hour were posted as one row for each provider and model; totals are exact",
				zap.Stringer("hour", p.Hour), zap.Int("folded_rows", p.folded), zap.Int("posted_rows", len(p.ends)))
		}
		if r.progress != nil {
			r.progress.Posted++
			r.progress.Rows += len(p.ends)
		}
		r.report.Posted = append(r.report.Posted, PostedHour{Hour: p.Hour, Rows: len(p.ends), Cost: p.cost})
	}
	r.lastPost = now
	return nil
}

// settled says whether no earlier request for the hour can take effect any more.
func (p *parcel) settled(now time.Time) bool {
	return now.Sub(time.Unix(p.Posted.Doubt, 0)) >= lateEffect
}

// hold keeps an hour back until it changes or somebody asks for it.
func (r *round) hold(p parcel, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holdLocked(HeldHour{
		Hour: p.Hour, Rows: p.Rows, Cost: p.Waiting(), Reason: reason.Error(), revision: p.Revision,
	})
}

func (r *round) holdLocked(h HeldHour) {
	r.held[h.Hour] = h
	if r.progress != nil {
		r.progress.Held++
	}
	r.report.Held = append(r.report.Held, h)
	r.opts.Logger.Error("Rows are held back; their costs are kept, and they are tried again when their hour changes or on POST /cloudzero/export",
		zap.Stringer("hour", h.Hour), zap.Int("rows", h.Rows), zap.Stringer("cost", h.Cost), zap.String("error", h.Reason))
}

// classOf is the class of an error of the client; other errors, of the storage,
// say nothing about AnyCost.
func classOf(err error) anycost.Class {
	var e *anycost.Error
	if errors.As(err, &e) {
		return e.Class
	}
	return anycost.Unavailable
}

// sorted orders a report by hour.
func (r Report) sorted() Report {
	slices.SortFunc(r.Posted, func(a, b PostedHour) int { return int(a.Hour - b.Hour) })
	slices.SortFunc(r.Held, func(a, b HeldHour) int { return int(a.Hour - b.Hour) })
	return r
}
