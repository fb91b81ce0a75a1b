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

	hours []billing.Hour // that differ; none when only the number of rows does
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
	found := r.counts[month.String()]
	r.mu.Lock()
	others, known := r.others[month]
	if !known {
		// Others' rows that were there first are theirs.
		r.others[month] = found - ours
	}
	r.mu.Unlock()
	if known && found != ours+others {
		return r.suspect(ctx, month, found, ours+others)
	}
	return r.relax(month), nil
}

// suspect looks at what AnyCost holds of a month whose number of rows is not
// what it should be, and says whether something else writes there. Where the key
// may not read, the number alone decides.
func (r *round) suspect(ctx context.Context, month billing.Month, found, expected int) (bool, error) {
	if !r.cannotRead {
		err := r.verifyMonth(ctx, month)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.others, month) // counted anew
			_, conflicted := r.conflicts[month]
			return conflicted, nil
		}
		if classOf(err) != anycost.Forbidden {
			return false, err
		}
		r.sayCannotRead(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conflictLocked(Conflict{Month: month, Reason: fmt.Sprintf("AnyCost holds %d rows of the month instead of %d", found, expected)})
	return true, nil
}

// relax ends a conflict that only the number of rows told of, now that it is
// right again, and says whether there still is one.
func (r *round) relax(month billing.Month) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, conflicted := r.conflicts[month]
	if conflicted && len(c.hours) == 0 {
		delete(r.conflicts, month)
		r.opts.Logger.Info("AnyCost holds again what was posted", zap.Stringer("month", month))
		return false
	}
	return conflicted
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
			for _, at := range c.hours {
				r.strangers[at] = true
			}
			delete(r.conflicts, month)
			delete(r.others, month) // counted anew
		}
	}
	r.mu.Unlock()
	return r.postAgain(ctx, hours)
}
