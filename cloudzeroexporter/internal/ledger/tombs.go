package ledger

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// tombs are the hours that were posted and then let go. What comes late for
// them is rejected: posting it would erase what AnyCost holds.
type tombs map[billing.Hour]struct{}

func (t tombs) has(h billing.Hour) bool {
	_, ok := t[h]
	return ok
}
