package shipper

import (
	"context"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// maxBadRows bounds how many rows of an hour are looked for one by one. An hour
// with more of them is held as a whole: it is not the rows then.
const maxBadRows = 100

// isolate finds the rows for which AnyCost refuses an hour, holds them, and
// posts the others. Where AnyCost does not tell, all of the hour is held.
func (r *round) isolate(ctx context.Context, p parcel, refusal error) error {
	if r.cannotValidate || p.isolated {
		r.hold(p, refusal)
		return nil
	}
	s := search{round: r, parcel: p, bad: make(map[int]string)}
	err := s.narrow(ctx, 0, len(p.rows))
	switch {
	case err != nil && classOf(err) == anycost.Forbidden:
		r.cannotValidate = true
		r.opts.Logger.Warn("The API key may not validate billing drops; an hour with a row that AnyCost refuses is held as a whole",
			zap.Error(err))
		r.hold(p, refusal)
		return nil
	case err != nil:
		return err
	case len(s.bad) == 0, len(s.bad) == len(p.rows), len(s.bad) >= maxBadRows, s.badBase():
		r.hold(p, refusal)
		return nil
	}
	return r.ship(ctx, []parcel{s.without()})
}

// search narrows down the bad rows of a parcel.
type search struct {
	*round
	parcel parcel
	bad    map[int]string // by index, why
}

// narrow halves the rows until the bad ones stand alone.
func (s *search) narrow(ctx context.Context, from, to int) error {
	if len(s.bad) >= maxBadRows {
		return nil
	}
	half := from + (to-from)/2
	if data := s.parcel.between(from, to); len(data)+envelopeBytes <= anycost.MaxBodyBytes {
		d := anycost.NewDrop(s.parcel.Hour.Month(), anycost.ReplaceHourly)
		d.Add(to-from, data)
		problems, err := s.client.Validate(ctx, d)
		if err != nil || len(problems) == 0 {
			return err
		}
		if to-from == 1 {
			s.bad[from] = strings.Join(problems, "; ")
			return nil
		}
	}
	if err := s.narrow(ctx, from, half); err != nil {
		return err
	}
	return s.narrow(ctx, half, to)
}

// badBase says whether a row is bad that AnyCost held before the books: leaving
// it out would erase it.
func (s *search) badBase() bool {
	for i := range s.parcel.Posted.BaseRows {
		if _, bad := s.bad[i]; bad {
			return true
		}
	}
	return false
}

// without is the parcel without its bad rows, which it remembers.
func (s *search) without() parcel {
	good := parcel{Summary: s.parcel.Summary, folded: s.parcel.folded, isolated: true}
	var lost billing.Amount
	reason := ""
	for i, row := range s.parcel.rows {
		why, bad := s.bad[i]
		switch {
		case i < s.parcel.Posted.BaseRows:
			good.addRaw(s.parcel.between(i, i+1))
			continue
		case !bad:
			good.add(s.opts.Format, row)
			continue
		}
		lost = lost.Add(row.Cost)
		if reason == "" {
			reason = fmt.Sprintf("%s: %s", row.ResourceID(), why)
		}
	}
	good.refused = HeldHour{Hour: good.Hour, Rows: len(s.bad), Cost: lost, Reason: reason, revision: good.Revision}
	return good
}
