package ledger

import (
	"fmt"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// gone is what is left of a month's hours that left the books: sums.
type gone struct {
	totals cbf.Totals
	// posted is what AnyCost holds of them.
	posted      billing.Amount
	rows, bytes int
}

func (g gone) add(h *hour) gone {
	return gone{g.totals.Add(h.Totals), g.posted.Add(h.Posted.Cost), g.rows + h.Posted.Rows, g.bytes + h.Posted.Bytes}
}

// lose adds what an unreadable hour had; its rows at AnyCost become another's.
func (g gone) lose(h *hour) gone {
	return gone{g.totals.Add(h.Totals), g.posted.Add(h.Posted.Cost), g.rows, g.bytes}
}

func (g gone) sub(h *hour) gone {
	return gone{g.totals.Sub(h.Totals), g.posted.Sub(h.Posted.Cost), g.rows - h.Posted.Rows, g.bytes - h.Posted.Bytes}
}

func (g gone) stored() storedGone {
	s := storedGone{Totals: storeTotals(g.totals), Rows: g.rows, Bytes: g.bytes}
	s.Dollars, s.Femto = g.posted.Parts()
	return s
}

func (s *storedGone) gone() (gone, error) {
	totals, err := s.Totals.totals()
	if err != nil {
		return gone{}, err
	}
	posted, err := billing.AmountOfParts(s.Dollars, s.Femto)
	if err != nil {
		return gone{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return gone{totals, posted, s.Rows, s.Bytes}, nil
}
