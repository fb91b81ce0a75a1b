package ledger

import (
	"context"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// maintain runs on the writing goroutine, every now and then.
func (l *Ledger) maintain(ctx context.Context) {
	now := time.Now()
	if l.journal > l.checkpoint && now.Sub(l.saved) >= checkpointAfter || l.expired(now) {
		l.save(ctx)
	}
	if l.rest(now) {
		l.save(ctx)
	}
	if l.archiving(ctx, now) {
		l.save(ctx)
	}
}

// rest lets hours that nobody needs leave memory. One whose identities lie in
// many pieces stays for a checkpoint that puts them together, and says so: 800
// hours in some ten pieces each would fill the memory that a file is mapped to.
func (l *Ledger) rest(now time.Time) (piecemeal bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetSeriesLocked(now)
	for _, h := range l.hours {
		switch {
		case h.together: // a checkpoint failed
			piecemeal = true
		case h.contents == nil || h.changed && !l.opts.Volatile || h.pending != nil || now.Sub(h.used) < idleAfter:
		case h.changed || h.SeenChunks > 1 && h.SeenMoved == 0: // else the archive puts them together
			h.changed, h.together, piecemeal = true, true, true
		default:
			h.contents = nil
		}
	}
	return piecemeal
}

// expired says whether an hour, or answers, can be let go.
func (l *Ledger) expired(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for heard := range l.answers.chunks {
		if heard < billing.HourOf(now)-answersKept {
			return true
		}
	}
	for _, h := range l.hours {
		if l.expiredLocked(h, now) {
			return true
		}
	}
	return false
}

// expiredLocked says whether the hour is older than the retention and AnyCost
// holds all of it.
func (l *Ledger) expiredLocked(h *hour, now time.Time) bool {
	return now.Sub(h.Hour.End()) > l.opts.Retention && (h.done() || l.opts.NeverPosted) && h.pending == nil
}
