package series

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// Set is how far series have come.
type Set struct {
	known map[uint64]state
	limit int
	// horizon is a time in nanoseconds since 1970. A series that began before
	// it and is not known may have been counted by somebody: before these books
	// began, or by them before they forgot it.
	horizon uint64
	// deferred are series beyond the limit, which were surely not counted yet
	// although the horizon may have passed their start since. There are at most
	// as many as the limit is.
	deferred map[uint64]struct{}

	unwritten []uint64 // what changed and no commit has
	unsaved   []uint64 // what changed and no chunk has
}

// state is how far one series has come.
type state struct {
	time  uint64 // of its last change
	sum   float64
	count uint64
	heard uint32 // the hour in which it was heard last; so only hours write it
	marks uint8
}

const (
	isUnwritten = 1 << iota
	isUnsaved
)

// NewSet returns an empty set for at most limit series.
func NewSet(limit int) *Set {
	return &Set{known: make(map[uint64]state), deferred: make(map[uint64]struct{}), limit: limit}
}

// Len is the number of series that are known.
func (s *Set) Len() int { return len(s.known) }

// Distrust makes every unknown series that began before the time, in
// nanoseconds since 1970, begin with what it has reached by then.
func (s *Set) Distrust(before uint64) { s.horizon = max(s.horizon, before) }

// Horizon is the time up to which [Set.Distrust] goes.
func (s *Set) Horizon() uint64 { return s.horizon }

// Known says whether the point adds nothing. Now is the hour of its arrival.
func (s *Set) Known(p Point, now billing.Hour) bool {
	st, ok := s.known[p.ID]
	if !ok || !st.covers(p) {
		return false
	}
	if heard := uint32(now); st.heard != heard { //nolint:gosec // an hour of this age
		st.heard = heard
		s.known[p.ID] = st
	}
	return true
}

// covers says whether the series is at the point or beyond. Of two points of one
// time, the larger one is the later.
func (st state) covers(p Point) bool {
	switch {
	case p.Sum == st.sum && p.Count == st.count:
		return true
	case p.Time == st.time:
		return p.Sum < st.sum || p.Count < st.count
	default:
		return p.Time < st.time
	}
}

// Judge says what the point adds. It changes nothing.
func (s *Set) Judge(p Point) Step {
	st, ok := s.known[p.ID]
	switch {
	case !ok && len(s.known) >= s.limit:
		return Step{Verdict: Excess}
	case !ok && s.mayBeCounted(p):
		return Step{Verdict: Earlier}
	case !ok:
		return Step{Verdict: First}
	case st.covers(p):
		return Step{Verdict: Nothing}
	case p.Sum < st.sum || p.Count < st.count:
		return Step{Verdict: Reset}
	default:
		return Step{Verdict: More, fromSum: st.sum, fromCount: st.count}
	}
}

// unknownAge is how long a series of unknown start is taken to have run.
const unknownAge = 3600 * 1_000_000_000

// mayBeCounted says whether an unknown series may have been counted before.
func (s *Set) mayBeCounted(p Point) bool {
	if _, deferred := s.deferred[p.ID]; deferred {
		return false
	}
	start := p.Start
	if start == 0 {
		start = p.Time - min(p.Time, unknownAge)
	}
	return start < s.horizon
}

// Defer remembers a series without room, so that its whole sum is still new when
// there is some, whatever is forgotten until then.
func (s *Set) Defer(p Point) {
	if len(s.deferred) < s.limit && !s.mayBeCounted(p) {
		s.deferred[p.ID] = struct{}{}
	}
}

// Keep makes the point the one that its series goes on from. A new series needs
// room, see [Set.MakeRoom].
func (s *Set) Keep(p Point, now billing.Hour) {
	delete(s.deferred, p.ID)
	st := s.known[p.ID]
	st.time, st.sum, st.count, st.heard = p.Time, p.Sum, p.Count, uint32(now) //nolint:gosec // an hour of this age
	if st.marks&isUnwritten == 0 {
		s.unwritten = append(s.unwritten, p.ID)
	}
	if st.marks&isUnsaved == 0 {
		s.unsaved = append(s.unsaved, p.ID)
	}
	st.marks |= isUnwritten | isUnsaved
	s.known[p.ID] = st
}
