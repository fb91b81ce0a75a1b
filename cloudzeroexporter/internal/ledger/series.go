package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

const (
	seriesHeadKey = "series/head"
	// seriesInChunk is how many series one chunk has at most, 1.8 MB of them.
	seriesInChunk = 50_000
	// quietAfter is how long a series must not have been heard before it can be
	// forgotten to make room for others. LiteLLM tells of each every few seconds.
	quietAfter = time.Hour
)

func seriesKey(chunk uint64) string { return "series/" + strconv.FormatUint(chunk, 10) }

// seriesHead says which chunks of series there are. A series is in the last one
// that has it as it is; those before have it as it was.
type seriesHead struct {
	_           struct{} `cbor:",toarray"`
	First, Next uint64   // chunks from First to before Next
	Records     int      // in all these chunks
	Horizon     uint64   // see series.Set.Distrust
	Journal     uint64   // number of the first entry of the journal whose series hold
	// Paused says that the books were used without metrics since, so that what
	// they know of series is no longer how far those were billed.
	Paused bool
}

// readSeries reads how far series had come by the last checkpoint. Those of a
// chunk that cannot be read are not counted again: whoever began before now is
// distrusted.
func (l *Ledger) readSeries(ctx context.Context) error {
	found, err := l.store.get(ctx, seriesHeadKey, &l.seriesHead)
	if err != nil {
		l.seriesHead = seriesHead{}
		l.distrustSeries(time.Now())
		return l.setAside(ctx, seriesHeadKey, err)
	}
	if !found {
		return nil
	}
	l.series.Distrust(l.seriesHead.Horizon)
	for chunk := l.seriesHead.First; chunk < l.seriesHead.Next; chunk++ {
		var packed []byte
		found, err := l.store.get(ctx, seriesKey(chunk), &packed)
		if err == nil && !found {
			err = fmt.Errorf("%w: series are not in the storage", ErrCorrupt)
		}
		if err == nil {
			err = l.restoreSeries(packed, false)
		}
		if errors.Is(err, ErrCorrupt) {
			l.distrustSeries(time.Now())
			l.seriesHead.Records = math.MaxInt32 // so that the next checkpoint writes all of them anew
		}
		if err = l.setAside(ctx, seriesKey(chunk), err); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) restoreSeries(packed []byte, unsaved bool) error {
	if err := l.series.Restore(packed, unsaved); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// distrustSeries makes every series that is not known begin with what it has
// reached when it is heard first, if it began before then.
func (l *Ledger) distrustSeries(then time.Time) {
	l.series.Distrust(uint64(then.UnixNano()))
}

// beginSeries makes up its mind about series that began before the books told
// of metrics: what they have counted may be billed already, from spans of the
// same calls or by somebody else.
func (l *Ledger) beginSeries(ctx context.Context) error {
	now, head := time.Now(), l.seriesHead // to ask takes time
	began := head != (seriesHead{}) || l.series.Horizon() > 0 || l.series.Len() > 0
	if !l.opts.Metrics {
		l.series.Clear() // nobody needs them
	}
	switch {
	case !l.opts.Metrics && (!began || head.Paused):
		return nil
	case !l.opts.Metrics:
		head.Paused = true
	case head.Paused, began && l.opts.Elsewhere:
		head.Paused, head.First, head.Records, head.Journal = false, head.Next, 0, l.journal
		l.series.Clear()
		l.distrustSeries(now)
	case began:
		return nil
	default:
		head.Next, head.First = 1, 1 // so that the head differs from none
		if l.opts.Elsewhere || len(l.hours) > 0 || len(l.gone) > 0 || l.opts.BilledBefore != nil && l.opts.BilledBefore(ctx) {
			l.distrustSeries(now)
		}
	}
	head.Horizon = l.series.Horizon()
	if _, err := l.store.set(ctx, seriesHeadKey, head); err != nil {
		return err
	}
	old := l.seriesHead
	l.seriesHead = head
	return l.deleteSeries(ctx, old.First, head.First)
}

func (l *Ledger) deleteSeries(ctx context.Context, from, before uint64) error {
	for chunk := from; chunk < before; chunk++ {
		if err := l.store.client.Delete(ctx, seriesKey(chunk)); err != nil {
			return fmt.Errorf("delete series from the storage: %w", err)
		}
	}
	return nil
}

// savedSeries are the series of a checkpoint.
type savedSeries struct {
	before, head seriesHead
	pieces       [][]byte // chunks from head.Next - len(pieces) on
	ids          []uint64 // of the series in them
}

// saveSeriesLocked packs the series that changed as further chunks. When the
// chunks have twice what is known, it packs all series and lets the old chunks
// go, so that what is written grows with what changes.
func (l *Ledger) saveSeriesLocked() savedSeries {
	s := savedSeries{before: l.seriesHead, head: l.seriesHead}
	if !l.opts.Metrics {
		return s
	}
	everything := s.head.Records > 2*l.series.Len()+seriesInChunk
	if everything {
		s.head.First, s.head.Records = s.head.Next, 0
	}
	s.pieces, s.ids = l.series.TakeUnsaved(everything, seriesInChunk)
	s.head.Next += uint64(len(s.pieces))
	s.head.Records += len(s.ids)
	s.head.Horizon = l.series.Horizon()
	return s
}

// write writes what changed: the chunks before the head that names them.
func (s *savedSeries) write(w *writes) {
	if s.head == s.before {
		return
	}
	for i, packed := range s.pieces {
		w.set(seriesKey(s.head.Next-uint64(len(s.pieces)-i)), packed) //nolint:gosec // i is below it
	}
	w.set(seriesHeadKey, s.head)
}

// deleteOld deletes the chunks that the head no longer names.
func (s *savedSeries) deleteOld(w *writes) {
	for chunk := s.before.First; chunk < s.head.First; chunk++ {
		w.delete(seriesKey(chunk))
	}
}

// forgetSeriesLocked lets go of series that have been quiet for the retention,
// once those that are alive had the time to be heard.
func (l *Ledger) forgetSeriesLocked(now time.Time) {
	if since := billing.HourOf(now.Add(-l.opts.Retention)); now.Sub(l.opened) >= quietAfter && since > l.forgot {
		l.forgot = since
		if n := l.series.Forget(since); n > 0 {
			l.opts.Logger.Info("Series that have been quiet for longer than the retention were forgotten", zap.Int("series", n))
		}
	}
}

// makeRoomLocked forgets series that have been quiet for longest. It looks for
// them once a minute at most.
func (l *Ledger) makeRoomLocked(now time.Time) {
	if now.Sub(l.opened) < quietAfter || now.Sub(l.madeRoom) < time.Minute {
		return
	}
	l.madeRoom = now
	if n := l.series.MakeRoom(billing.HourOf(now.Add(-quietAfter))); n > 0 {
		l.opts.Logger.Warn("The limit of series is reached; those that have been quiet for longest were forgotten before their time",
			zap.Int("series", n), zap.Int("limit", l.opts.SeriesLimit))
	}
}

// writtenLocked says that the journal, or the commit under way, has all that
// memory has.
func (l *Ledger) writtenLocked() bool { return l.pending.empty() && !l.series.HasUnwritten() }
