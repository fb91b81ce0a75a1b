package shipper

import (
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// Report is what an export did.
type Report struct {
	Posted []PostedHour `json:"posted"`
	Held   []HeldHour   `json:"held"`
}

// PostedHour is an hour that AnyCost has accepted.
type PostedHour struct {
	Hour billing.Hour   `json:"hour"`
	Rows int            `json:"rows"`
	Cost billing.Amount `json:"cost"`
}

// HeldHour is an hour, or rows of it, that AnyCost refuses, or may have taken. Its
// Cost is what AnyCost is not known to hold of it.
type HeldHour struct {
	Hour   billing.Hour   `json:"hour"`
	Rows   int            `json:"rows"`
	Cost   billing.Amount `json:"cost"`
	Reason string         `json:"reason"`
	// Doubt is the addition whose effect somebody has to tell; nil when AnyCost
	// refuses.
	Doubt *Doubt `json:"doubt,omitempty"`

	revision uint64
}

// State is what gauges and the console show.
type State struct {
	// Due is the number of closed hours that AnyCost lacks something of, held
	// ones included; OldestDue is when the first of them became due.
	Due       int
	OldestDue time.Time
	Held      []HeldHour
	// LastPost is the time of the last accepted drop, NextRound that of the
	// next attempt; zero when there was or is none.
	LastPost, NextRound time.Time
	// LastError is why the last round stopped; nil when it did not.
	LastError error
	// Conflicts are the months that nothing is posted into.
	Conflicts []Conflict
	// Months are the sums of each month, oldest first.
	Months []Month
}

// Month is the balance of a month: Read = Posted + Waiting + Held, always.
type Month struct {
	ledger.Month
	// Waiting is to be posted; Held is what AnyCost refuses.
	Waiting, Held billing.Amount
}

// State returns the shipper's state at the time now.
func (s *Shipper) State(now time.Time) State {
	balance, hours := s.books.Balance(), s.books.Hours()
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{LastPost: s.lastPost, NextRound: s.nextRound, LastError: s.lastError}
	for _, h := range hours {
		if at := time.Unix(h.Posted.At, 0); h.Posted.At > 0 && at.After(state.LastPost) {
			state.LastPost = at // of an earlier process
		}
		if held, ok := s.held[h.Hour]; ok {
			state.Held = append(state.Held, held)
		}
		if s.dueLocked(h, now) {
			if state.Due++; state.Due == 1 {
				state.OldestDue = h.Hour.End().Add(s.opts.Settle)
			}
		}
	}
	for _, c := range s.conflicts {
		state.Conflicts = append(state.Conflicts, c)
	}
	for _, m := range balance.Months {
		state.Months = append(state.Months, s.monthLocked(m))
	}
	return state
}

// monthLocked splits what AnyCost lacks of the month.
func (s *Shipper) monthLocked(m ledger.Month) Month {
	var held billing.Amount
	for _, h := range s.held {
		if h.Hour.Month() == m.Month {
			held = held.Add(h.Cost)
		}
	}
	var lacking billing.Amount
	if m.Read.Cmp(m.Posted) > 0 { // unless the books have lost an unreadable piece
		lacking = m.Read.Sub(m.Posted)
	}
	if held.Cmp(lacking) > 0 {
		held = lacking // it has just been posted
	}
	return Month{Month: m, Waiting: lacking.Sub(held), Held: held}
}

// dueLocked says whether the hour has closed and AnyCost lacks something of it,
// or may yet be made to.
func (s *Shipper) dueLocked(h ledger.Summary, now time.Time) bool {
	doubtful := h.Posted.Doubt > 0 && now.Sub(time.Unix(h.Posted.Doubt, 0)) >= lateEffect
	return h.Closed(now, s.opts.Settle) && (h.Unposted() || doubtful || h.Posted.Held > 0)
}
