package shipper

import (
	"context"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Conflict is a month that AnyCost holds something else of than was posted:
// most likely a second collector posts to the same connection, and the two
// erase each other's hours. Nothing is posted into the month until it is gone
// or an operator confirms that the books are right.
type Conflict struct {
	Month  billing.Month
	Reason string

	found int            // rows that AnyCost said to hold
	hours []billing.Hour // that a verification found to differ
}

// blocked says whether nothing may be posted into the month. Before the first
// post of a round it compares the number of rows that AnyCost holds with what it
// should be.
func (r *round) blocked(ctx context.Context, month billing.Month) (bool, error) {
	if blocked, known := r.guarded[month]; known {
		return blocked, nil
	}
	blocked, err := r.guard(ctx, month)
	if err != nil {
		return false, err
	}
	if r.guarded == nil {
		r.guarded = make(map[billing.Month]bool)
	}
	r.guarded[month] = blocked
	return blocked, nil
}

func (r *round) guard(ctx context.Context, month billing.Month) (bool, error) {
	if !r.opts.Verify || r.cannotList {
		return false, nil
	}
	if r.counts == nil {
		counts, err := r.client.Counts(ctx)
		if err != nil {
			if classOf(err) == anycost.Forbidden {
				r.cannotList = true
				r.opts.Logger.Warn("The API key may not list billing drops, so a second writer on this connection cannot be noticed by its rows",
					zap.Error(err))
				return false, nil
			}
			return false, err
		}
		r.counts = counts
	}
	ours, certain := r.rowsPosted(month)
	if !certain {
		return false, nil // what AnyCost holds is about to be settled
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.counts[month.String()]
	others, known := r.others[month]
	conflict, conflicted := r.conflicts[month]
	switch {
	case !known:
		// Others' rows that were there first are theirs.
		r.others[month] = found - ours
		return false, nil
	case found != ours+others:
		r.conflictLocked(Conflict{
			Month: month, found: found,
			Reason: fmt.Sprintf("AnyCost holds %d rows of the month instead of %d", found, ours+others),
		})
		return true, nil
	case conflicted && len(conflict.hours) == 0:
		delete(r.conflicts, month)
		r.opts.Logger.Info("AnyCost holds again what was posted", zap.Stringer("month", month))
		return false, nil
	default:
		return conflicted, nil
	}
}

// rowsPosted is the number of rows that AnyCost should hold of the books, if
// nothing makes it uncertain.
func (r *round) rowsPosted(month billing.Month) (rows int, certain bool) {
	for _, m := range r.books.Balance().Months {
		if m.Month == month {
			rows = m.Rows
		}
	}
	for _, h := range r.books.Hours() {
		if h.Hour.Month() == month && h.Posted.Doubt != 0 {
			return rows, false
		}
	}
	return rows, true
}

func (s *Shipper) conflictLocked(c Conflict) {
	if s.conflicts[c.Month].Reason != c.Reason {
		s.opts.Logger.Error("Something else writes to this connection: nothing is posted into the month, and nothing is lost. "+
			"Look for a second collector; then POST /cloudzero/export with {\"confirm_months\":[\"<month>\"]}",
			zap.Stringer("month", c.Month), zap.String("reason", c.Reason))
	}
	s.conflicts[c.Month] = c
}

// confirm takes an operator's word that the books are right.
func (r *round) confirm(ctx context.Context, months []string) error {
	r.mu.Lock()
	var hours []billing.Hour
	for month, c := range r.conflicts {
		if slices.Contains(months, month.String()) {
			hours = append(hours, c.hours...)
			delete(r.conflicts, month)
			delete(r.others, month) // counted anew
		}
	}
	r.mu.Unlock()
	return r.postAgain(ctx, hours)
}
