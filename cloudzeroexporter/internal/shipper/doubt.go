package shipper

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// Doubt is an addition to an hour whose answer got lost: nobody knows whether it
// took effect.
type Doubt struct {
	// Sent is when it was sent, Rows and Cost what it was to add.
	Sent time.Time      `json:"sent"`
	Rows int            `json:"rows"`
	Cost billing.Amount `json:"cost"`
	// Before is the cost that earlier additions brought into the hour.
	Before billing.Amount `json:"added_before"`
}

// After is the cost that additions brought into the hour if this one took effect.
func (d Doubt) After() billing.Amount { return d.Before.Add(d.Cost) }

// Until is when it can take effect no more.
func (d Doubt) Until() time.Time { return d.Sent.Add(lateEffect) }

func doubtOf(h ledger.Summary, a ledger.Addition) Doubt {
	return Doubt{Sent: doubtedSince(h).UTC(), Rows: a.Asked.Rows, Cost: a.Asked.Cost(), Before: a.Done.Cost()}
}

func doubtedSince(h ledger.Summary) time.Time { return time.Unix(h.Posted.Doubt, 0) }

// verdict is what is known of the effect of an addition whose answer got lost.
type verdict uint8

const (
	// unknown is an effect that only a person can tell.
	unknown verdict = iota
	// mayCome is one that is not there yet.
	mayCome
	took
	none
)

// verdict compares what AnyCost holds of an hour in doubt with what it held before
// the addition.
func (r *round) verdict(ctx context.Context, h ledger.Summary, a ledger.Addition) (verdict, error) {
	if taken, known := r.taken[h.Hour]; known {
		if taken {
			return took, nil
		}
		return none, nil
	}
	absent := none
	if time.Since(doubtedSince(h)) < lateEffect {
		absent = mayCome
	}
	if a.Asked.Rows == 0 {
		// Its end was recorded and the doubt's was not, or the doubt is of another
		// request than an addition.
		return absent, nil
	}
	if a.Before == nil {
		return unknown, nil
	}
	now, err := r.holding(ctx, h.Hour)
	switch {
	case err != nil || now == nil:
		return unknown, err
	case *now == *a.Before:
		return absent, nil
	case *now == a.After():
		return took, nil
	default:
		return unknown, nil
	}
}

// holding is what AnyCost holds of an hour that this round has not touched yet;
// nil where the key may not read. All hours of a month are read at once.
func (r *round) holding(ctx context.Context, at billing.Hour) (*ledger.Holding, error) {
	if r.cannotRead {
		return nil, nil //nolint:nilnil // it is not known
	}
	month := at.Month()
	if r.holdings[month] == nil {
		holdings, err := r.read(ctx, month)
		if err != nil && classOf(err) == anycost.Forbidden {
			r.sayCannotRead(err)
			return nil, nil //nolint:nilnil // it is not known
		}
		if err != nil {
			return nil, err
		}
		if r.holdings == nil {
			r.holdings = make(map[billing.Month]map[billing.Hour]*ledger.Holding)
		}
		r.holdings[month] = holdings
	}
	h, found := r.holdings[month][at]
	if !found {
		return new(ledger.Holding), nil
	}
	return h, nil
}

// read adds up what AnyCost holds of each hour of a month; nil where others' rows
// have costs that cannot be added up.
func (r *round) read(ctx context.Context, month billing.Month) (map[billing.Hour]*ledger.Holding, error) {
	holdings := make(map[billing.Hour]*ledger.Holding)
	err := r.client.Read(ctx, month, func(row anycost.Row) error {
		at, err := row.Hour()
		if err != nil {
			return nil //nolint:nilerr // a row of another kind is none of an hour
		}
		h, found := holdings[at]
		cost, err := billing.ParseAmount(row["cost/cost"])
		switch {
		case err != nil || found && h == nil:
			holdings[at] = nil
		case !found:
			holdings[at] = &ledger.Holding{Rows: 1, Cost: cost}
		default:
			h.Rows, h.Cost = h.Rows+1, h.Cost.Add(cost)
		}
		return nil
	})
	return holdings, err
}

// holdDoubt holds an hour until somebody says whether its last addition took
// effect.
func (r *round) holdDoubt(h ledger.Summary, a ledger.Addition) {
	d := doubtOf(h, a)
	why := "what CloudZero holds of the hour does not tell"
	if r.cannotRead || a.Before == nil {
		why = "the API key may not read"
	}
	reason := fmt.Sprintf("AnyCost's answer to an addition of %d rows, %s USD, sent at %s, got lost, and %s whether it took effect: "+
		"adding again could double them. Look at the hour in CloudZero, and say what you see on the console, "+
		`or with POST /cloudzero/hours/%s/doubt {"took_effect": true} or false`, d.Rows, d.Cost, d.Sent.Format(time.RFC3339), why, h.Hour)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holdLocked(HeldHour{Hour: h.Hour, Rows: h.Rows, Cost: h.Waiting(), Reason: reason, Doubt: &d, revision: h.Revision})
}
