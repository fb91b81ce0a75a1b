package ledger

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// tombs are the hours that were posted and then let go. What comes late for
// them is rejected: posting it would erase what AnyCost holds.
type tombs map[billing.Hour]struct{}

func (t tombs) has(h billing.Hour) bool {
	_, ok := t[h]
	return ok
}

// LetGo says whether the hour was posted and has left the books since.
func (l *Ledger) LetGo(at billing.Hour) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tombs.has(at)
}
