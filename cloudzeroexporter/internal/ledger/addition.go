package ledger

import (
	"context"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// Addition is what is known of what was added to an hour.
type Addition struct {
	// Done is what AnyCost has taken.
	Done AddedRows
	// Asked is what the last request was to add, until its answer is known. The hour
	// is in doubt then, unless the request was never sent.
	Asked AddedRows
	// Before is what AnyCost held of the hour before that request, others' rows
	// included; nil where the key may not read it.
	Before *Holding
}

// AddedRows are rows that are added to an hour.
type AddedRows struct {
	// Totals are those of each row, by resource id.
	Totals map[string]cbf.Totals
	// Rows and Bytes are the size of what was sent.
	Rows, Bytes int
}

// Holding is what AnyCost holds of an hour.
type Holding struct {
	Rows int
	Cost billing.Amount
}

// Cost is that of all rows.
func (r AddedRows) Cost() (sum billing.Amount) {
	for _, t := range r.Totals {
		sum = sum.Add(t.Cost)
	}
	return sum
}

// plus is both.
func (r AddedRows) plus(o AddedRows) AddedRows {
	sum := AddedRows{Totals: make(map[string]cbf.Totals, len(r.Totals)+len(o.Totals)), Rows: r.Rows + o.Rows, Bytes: r.Bytes + o.Bytes}
	for _, totals := range []map[string]cbf.Totals{r.Totals, o.Totals} {
		for id, t := range totals {
			sum.Totals[id] = sum.Totals[id].Add(t)
		}
	}
	return sum
}

// Taken is the addition when AnyCost has taken what it was asked.
func (a Addition) Taken() Addition {
	next := Addition{Done: a.Done.plus(a.Asked)}
	if a.Before != nil {
		after := a.After()
		next.Before = &after
	}
	return next
}

// After is what AnyCost holds of the hour when it has taken what it was asked, and
// nobody else wrote. Before must be known.
func (a Addition) After() Holding {
	return Holding{Rows: a.Before.Rows + a.Asked.Rows, Cost: a.Before.Cost.Add(a.Asked.Cost())}
}

// Refused is the addition when AnyCost has not.
func (a Addition) Refused() Addition { return Addition{Done: a.Done} }

// Posting is that of an hour with the addition, which was posted as p before.
func (a Addition) Posting(p Posting, doubt int64) Posting {
	p.Origin, p.Doubt = Added, doubt
	p.Rows, p.Bytes, p.Cost = a.Done.Rows, a.Done.Bytes, a.Done.Cost()
	return p
}

// KeepAddition records what is known of the additions to an hour, and that it is
// an hour that is added to. Doubt is since when nobody knows the effect of what was
// asked, as in [Posting].
func (l *Ledger) KeepAddition(ctx context.Context, at billing.Hour, a Addition, doubt int64) error {
	// First what was asked, then that it is in doubt; and first what was taken, then
	// that nothing is in doubt any more.
	if _, err := l.store.set(ctx, addedKey(at), storeAddition(a)); err != nil {
		return err
	}
	return l.settle(ctx, at, func(p *Posting) { *p = a.Posting(*p, doubt) })
}

// Addition returns what [Ledger.KeepAddition] recorded.
func (l *Ledger) Addition(ctx context.Context, at billing.Hour) (Addition, error) {
	var stored storedAddition
	if _, err := l.store.get(ctx, addedKey(at), &stored); err != nil {
		return Addition{}, err
	}
	return stored.addition()
}
