package leaks

import "time"

const (
	// halfWindow is the shortest time that half a window lasts.
	halfWindow = 5 * time.Minute
	// halfSeen is the least that half a window must have seen to end, so that
	// there is something to judge where there is little traffic.
	halfSeen = 10
	// stale is when half a window ends, whatever it has seen.
	stale = 24 * time.Hour
)

// counts are what was seen; each rule says what its columns are. The first
// column is all that was seen.
type counts [5]int64

func (c counts) plus(o counts) counts {
	for i := range c {
		c[i] += o[i]
	}
	return c
}

// window counts what was seen in the last minutes: between five and ten of them,
// or as many as it takes.
type window struct {
	now, before counts
	began       time.Time // of now
}

// sum is all that the window has.
func (w *window) sum() counts { return w.now.plus(w.before) }

// roll moves the window on and returns what has left it.
func (w *window) roll(at time.Time) (left counts) {
	age := at.Sub(w.began)
	if age < halfWindow || w.now[0] < halfSeen && age < stale {
		return left
	}
	left, w.before = w.before, w.now
	w.now, w.began = counts{}, at
	return left
}
