package series

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// Forget lets go of every series that nobody has told of since the hour, and
// returns how many those were. What is forgotten is not counted again, should
// it come back: unknown series that began so early are distrusted.
func (s *Set) Forget(since billing.Hour) (forgotten int) {
	for id, st := range s.known {
		if billing.Hour(st.heard) >= since || st.marks != 0 {
			continue
		}
		s.Distrust(st.time + 1) // a series begins no later than its points
		delete(s.known, id)
		forgotten++
	}
	return forgotten
}

// MakeRoom forgets, when the set is full, the series that have been quiet for
// longest, so that an eighth is free; never one that was heard since the hour.
func (s *Set) MakeRoom(since billing.Hour) (forgotten int) {
	if len(s.known) < s.limit {
		return 0
	}
	quiet := make(map[billing.Hour]int) // by the hour they were heard in last
	for _, st := range s.known {
		if h := billing.Hour(st.heard); h < since && st.marks == 0 {
			quiet[h]++
		}
	}
	wanted := len(s.known) - s.limit + max(1, s.limit/8)
	for len(quiet) > 0 && forgotten < wanted {
		oldest := since
		for h := range quiet {
			oldest = min(oldest, h)
		}
		delete(quiet, oldest)
		forgotten += s.Forget(oldest + 1)
	}
	return forgotten
}

// Clear forgets everything.
func (s *Set) Clear() {
	clear(s.known)
	clear(s.deferred)
	s.unwritten, s.unsaved = nil, nil
}
