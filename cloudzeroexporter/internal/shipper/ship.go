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
}

// shipAll posts the hours, oldest first. An hour that AnyCost refuses is held
// and does not stop the others; the error is why the round had to stop.
func (r *round) shipAll(ctx context.Context, hours []ledger.Summary) error {
	var l load
	for _, h := range hours {
		c, err := r.books.Contents(ctx, h.Hour)
		if err != nil {
			r.hold(parcel{Summary: h}, err)
			continue
		}
		p := wrap(r.opts.Format, c)
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

// ship posts hours of one month, in one body if AnyCost takes it so.
func (r *round) ship(ctx context.Context, parcels []parcel) error {
	if len(parcels) == 0 {
		return nil
	}
	single := len(parcels) == 1
	if single && envelopeBytes+len(parcels[0].data) > anycost.MaxBodyBytes {
		return r.shipInParts(ctx, parcels[0], anycost.MaxBodyBytes-envelopeBytes)
	}
	err := r.post(ctx, dropOf(parcels))
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
			r.hold(parcels[0], err)
			return nil
		}
		for i := range parcels {
			if err := r.ship(ctx, parcels[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case anycost.Lost:
		r.doubt(parcels)
		return err
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
		err := r.post(ctx, d)
		switch class := classOf(err); {
		case err == nil:
			operation = anycost.Sum
		case class == anycost.TooLarge && part.rows > 1:
			return r.shipInParts(ctx, p, len(part.data)/2)
		case class == anycost.TooLarge, class == anycost.Refused:
			r.hold(p, err)
			return nil
		case class == anycost.Lost:
			r.doubt([]parcel{p})
			return err
		default:
			return err
		}
	}
	return r.posted(ctx, []parcel{p})
}

// post makes one request and tells the observer of it.
func (r *round) post(ctx context.Context, d *anycost.Drop) error {
	begin := time.Now()
	_, err := r.client.Post(ctx, d)
	result := "accepted"
	if err != nil {
		result = classOf(err).String()
	}
	r.opts.Posted(result, time.Since(begin))
	return err
}

// posted records that AnyCost holds the hours.
func (r *round) posted(ctx context.Context, parcels []parcel) error {
	now := time.Now()
	postings := make(map[billing.Hour]ledger.Posting, len(parcels))
	for _, p := range parcels {
		postings[p.Hour] = ledger.Posting{
			Revision: p.Revision, At: now.Unix(), Rows: len(p.ends), Bytes: len(p.data), Cost: p.Totals.Cost,
		}
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
		if lost, ok := r.doubts[p.Hour]; ok && now.Sub(lost) >= lateEffect {
			delete(r.doubts, p.Hour)
		}
		r.report.Posted = append(r.report.Posted, PostedHour{Hour: p.Hour, Rows: len(p.ends), Cost: p.Totals.Cost})
	}
	r.lastPost = now
	return nil
}

// hold keeps an hour back until it changes or somebody asks for it.
func (r *round) hold(p parcel, reason error) {
	h := HeldHour{
		Hour: p.Hour, Rows: p.Rows, Cost: p.Waiting(), Reason: reason.Error(), revision: p.Revision,
	}
	r.mu.Lock()
	r.held[p.Hour] = h
	r.mu.Unlock()
	r.report.Held = append(r.report.Held, h)
	r.opts.Logger.Error("An hour is held back; its costs are kept, and it is tried again when it changes or on POST /cloudzero/export",
		zap.Stringer("hour", p.Hour), zap.Int("rows", p.Rows), zap.Stringer("cost", p.Totals.Cost), zap.Error(reason))
}

// doubt remembers hours whose request may take effect after a newer one. They
// are posted again when it cannot any more, also when they do not change.
func (r *round) doubt(parcels []parcel) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range parcels {
		r.doubts[p.Hour] = now
	}
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
