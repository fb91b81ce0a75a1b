package shipper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// ErrUnknownHour says that the books do not have an hour.
var ErrUnknownHour = errors.New("the hour is not in the books")

// Settle takes an operator's word on whether the addition to an hour took effect
// whose answer got lost. If it did, its rows are posted; if not, the next round adds
// them again. The error is a [*ConflictError] where there is nothing to say.
func (s *Shipper) Settle(ctx context.Context, at billing.Hour, tookEffect bool) (Doubt, error) {
	if err := s.postsNothing(); err != nil {
		return Doubt{}, err
	}
	if p := s.Progress(); p.Running() {
		return Doubt{}, &BusyError{p}
	}
	var (
		d   Doubt
		err error
	)
	given := s.do(ctx, func(ctx context.Context) { // it may go on after we have returned
		r := round{Shipper: s}
		d, err = r.settle(ctx, at, tookEffect)
	})
	if given != nil {
		return Doubt{}, given
	}
	return d, err
}

func (r *round) settle(ctx context.Context, at billing.Hour, tookEffect bool) (Doubt, error) {
	h, a, err := r.inDoubt(ctx, at)
	if err == nil {
		err = r.isForAPerson(ctx, h, a, tookEffect)
	}
	if err != nil {
		return Doubt{}, err
	}
	d := doubtOf(h, a)
	r.mu.Lock()
	delete(r.held, at)
	r.mu.Unlock()
	if _, err := r.end(ctx, at, a, tookEffect); err != nil {
		return Doubt{}, err
	}
	r.opts.Logger.Warn("An operator said whether an addition took effect whose answer got lost",
		zap.Stringer("hour", at), zap.Bool("took_effect", tookEffect), zap.Stringer("cost", d.Cost), zap.Int("rows", d.Rows))
	return d, nil
}

// inDoubt is an hour with an addition whose effect is unknown.
func (r *round) inDoubt(ctx context.Context, at billing.Hour) (h ledger.Summary, a ledger.Addition, err error) {
	found := false
	for _, s := range r.books.Hours() {
		if s.Hour == at {
			h, found = s, true
		}
	}
	if !found {
		return h, a, fmt.Errorf("%w: %s", ErrUnknownHour, at)
	}
	if h.Posted.Origin == ledger.Added && h.Posted.Doubt != 0 {
		if a, err = r.books.Addition(ctx, at); err != nil {
			return h, a, err
		}
	}
	if a.Asked.Rows == 0 {
		return h, a, &ConflictError{fmt.Sprintf("hour %s has no addition whose effect is unknown", at)}
	}
	return h, a, nil
}

// isForAPerson refuses what the exporter can find out, and what nobody can know
// yet.
func (r *round) isForAPerson(ctx context.Context, h ledger.Summary, a ledger.Addition, tookEffect bool) error {
	v, err := r.verdict(ctx, h, a)
	until := doubtedSince(h).Add(lateEffect)
	switch {
	case err != nil:
		return &ConflictError{fmt.Sprintf("the API key could read whether the addition to hour %s took effect, but not now: %v", h.Hour, err)}
	case v != unknown:
		return &ConflictError{fmt.Sprintf("the exporter finds out itself whether the addition to hour %s took effect; "+
			"the next round, or POST /cloudzero/export, goes on with it", h.Hour)}
	case !tookEffect && time.Now().Before(until):
		return &ConflictError{fmt.Sprintf("the addition to hour %s may take effect until %s; look again then", h.Hour, until.UTC().Format(time.RFC3339))}
	default:
		return nil
	}
}
