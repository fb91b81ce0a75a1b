package ledger

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

const retention = 840 * time.Hour

var forMetrics = Options{Retention: retention, Logger: zap.NewNop(), Metrics: true, SeriesLimit: 1000}

// openWith opens the books and closes them when the test ends.
func openWith(t testing.TB, d *disk, o Options) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), d, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close(context.Background())) })
	return l
}

// reached is a cumulative point of dollars, at a time, in a series that began at
// its start.
func reached(user string, start, at time.Time, sum float64) usage.Point {
	id := uint64(start.UnixNano())
	for _, c := range user {
		id = id*31 + uint64(c)
	}
	return usage.Point{
		Cumulative: true, Series: id, Start: uint64(start.UnixNano()), Time: uint64(at.UnixNano()), Sum: sum, Count: uint64(sum * 4),
	}
}

// tell commits points as the exporter does.
func tell(l *Ledger, user string, points ...usage.Point) (Tally, error) {
	var b Batch
	for i := range points {
		p := &points[i]
		if l.Known(p) {
			b.CountPoints(billing.PointUnchanged, 1)
			continue
		}
		b.AddPoint(byUser, p, &usage.Record{
			Hour: billing.HourOfNanos(p.Time), Provider: "openai", Model: "gpt-4o", Team: "red", User: user,
		})
	}
	err := l.Commit(context.Background(), &b)
	return b.Tally(), err
}

func pointOutcomes(t Tally) map[string]int64 {
	m := make(map[string]int64)
	for o, n := range t.Points {
		if n > 0 {
			m[billing.PointOutcome(o).String()] = n
		}
	}
	return m
}

func TestAPointAddsWhatItsSeriesDidNotTellYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openWith(t, d, forMetrics)
		start := time.Now()
		at := billing.HourOf(start).String()
		for _, c := range []struct {
			after time.Duration
			sum   float64
			want  string
			cost  string
		}{
			{time.Second, 0.25, "billed", "0.25"},
			{2 * time.Second, 0.5, "billed", "0.25"},
			{3 * time.Second, 0.5, "unchanged", "0"},
			{time.Second, 0.25, "unchanged", "0"},
			{4 * time.Second, 0.125, "billed", "0.125"}, // it fell
		} {
			tally, err := tell(l, "ana", reached("ana", start, start.Add(c.after), c.sum))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{c.want: 1}, pointOutcomes(tally), "%+v", c)
			assert.Equal(t, c.cost, tally.Cost.String(), "%+v", c)
		}
		want := map[string]string{at + " ana": "0.625"}
		assert.Equal(t, want, costs(t, l))
		assert.Equal(t, want, costs(t, openWith(t, d.crash(), forMetrics)))
	})
}

// TestSeriesGoOnAfterACrash: what the last process was told is not billed again,
// whether a checkpoint or the journal has it.
func TestSeriesGoOnAfterACrash(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"in the journal": 0, "in a checkpoint": checkpointAfter + maintainEvery} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				start := time.Now()
				for i := range 5 {
					l := openWith(t, d, forMetrics)
					_, err := tell(l, "ana", reached("ana", start, time.Now().Add(1), float64(i+1)))
					require.NoError(t, err)
					time.Sleep(wait)
					synctest.Wait()
					d = d.crash()
				}
				assert.Equal(t, map[string]string{billing.HourOf(start).String() + " ana": "5"}, costs(t, openWith(t, d, forMetrics)))
			})
		})
	}
}

// TestAKnownPointWaitsForItsCommit: what is in memory only is not acknowledged.
func TestAKnownPointWaitsForItsCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openWith(t, d, forMetrics)
		d.set(func(d *disk) { d.broken = true })
		p := reached("ana", time.Now(), time.Now().Add(1), 1)
		_, err := tell(l, "ana", p)
		require.ErrorIs(t, err, errDisk)
		tally, err := tell(l, "ana", p)
		require.ErrorIs(t, err, errDisk)
		assert.Equal(t, map[string]int64{"unchanged": 1}, pointOutcomes(tally))
		d.set(func(d *disk) { d.broken = false })
		_, err = tell(l, "ana", p)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{billing.HourOf(time.Now()).String() + " ana": "1"}, costs(t, openWith(t, d.crash(), forMetrics)))
	})
}

// TestAKnownPointWritesNothing: LiteLLM sends every series every few seconds.
func TestAKnownPointWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openWith(t, d, forMetrics)
		start := time.Now()
		_, err := tell(l, "ana", reached("ana", start, start.Add(1), 1))
		require.NoError(t, err)
		d.set(func(d *disk) { d.broken = true }) // a write would fail
		for i := range 100 {
			p := reached("ana", start, start.Add(time.Duration(i+2)), 1)
			_, err := tell(l, "ana", p)
			require.NoError(t, err)
		}
	})
}

//nolint:paralleltest // it counts allocations
func TestAKnownPointAllocatesNothing(t *testing.T) {
	l := openWith(t, newDisk(), forMetrics)
	p := reached("ana", time.Now(), time.Now().Add(1), 1)
	_, err := tell(l, "ana", p)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.Known(&p) }))
}

// TestWhatComesTooLateIsBilledWithTheNextPoint: an hour that is closed for good
// takes nothing, but a cumulative series tells it all again.
func TestWhatComesTooLateIsBilledWithTheNextPoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := openWith(t, newDisk(), forMetrics)
		start := time.Now()
		_, err := tell(l, "ana", reached("ana", start, start.Add(1), 1))
		require.NoError(t, err)
		post(t, l, billing.HourOf(start))
		for range 36 {
			time.Sleep(24 * time.Hour)
			_, err := tell(l, "ana", reached("ana", start, time.Now(), 1)) // so that it is not forgotten
			require.NoError(t, err)
		}
		synctest.Wait()
		tally, err := tell(l, "bo", reached("bo", start, start.Add(time.Minute), 2))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"rejected": 1}, pointOutcomes(tally))
		_, err = tell(l, "bo", reached("bo", start, time.Now(), 3))
		require.NoError(t, err)
		assert.Equal(t, "3", costs(t, l)[billing.HourOf(time.Now()).String()+" bo"])
	})
}

// TestQuietSeriesAreForgottenAndNotBilledAgain: the retention passes over one
// that is quiet; one that is heard all the time stays.
func TestQuietSeriesAreForgottenAndNotBilledAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openWith(t, d, forMetrics)
		start := time.Now()
		_, err := tell(l, "ana", reached("ana", start, start.Add(1), 1))
		require.NoError(t, err)
		_, err = tell(l, "bo", reached("bo", start, start.Add(1), 1))
		require.NoError(t, err)
		for range 40 {
			time.Sleep(24 * time.Hour)
			_, err = tell(l, "bo", reached("bo", start, time.Now(), 1))
			require.NoError(t, err)
		}
		synctest.Wait()
		assert.Equal(t, 1, l.Series().Known)

		tally, err := tell(l, "ana", reached("ana", start, time.Now(), 3))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"skipped": 1}, pointOutcomes(tally))
		assert.Equal(t, "3", l.Series().Skipped.String())
		tally, err = tell(l, "ana", reached("ana", start, time.Now().Add(1), 3.5))
		require.NoError(t, err)
		assert.Equal(t, "0.5", tally.Cost.String())
		tally, err = tell(l, "bo", reached("bo", start, time.Now(), 4))
		require.NoError(t, err)
		assert.Equal(t, "3", tally.Cost.String(), "what was heard all the time was not forgotten")
		tally, err = tell(l, "cy", reached("cy", start.Add(time.Hour), time.Now(), 5))
		require.NoError(t, err)
		assert.Equal(t, "5", tally.Cost.String(), "what began after that is new")
	})
}

// TestBeyondTheLimitNothingIsLost: a series without room is billed as soon as
// there is some.
func TestBeyondTheLimitNothingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		o := forMetrics
		o.SeriesLimit = 2
		l := openWith(t, d, o)
		start := time.Now()
		for _, user := range []string{"ana", "bo"} {
			_, err := tell(l, user, reached(user, start, start.Add(1), 1))
			require.NoError(t, err)
		}
		tally, err := tell(l, "cy", reached("cy", start, start.Add(1), 7))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"excess": 1}, pointOutcomes(tally))
		assert.Equal(t, "7", tally.Excess.String())
		assert.Equal(t, Series{Known: 2, Limit: 2}, l.Series())

		// With more room, after a restart, its whole sum is billed.
		roomier := openWith(t, d.crash(), forMetrics)
		tally, err = tell(roomier, "cy", reached("cy", start, start.Add(2), 8))
		require.NoError(t, err)
		assert.Equal(t, "8", tally.Cost.String())

		// Without it, those that went quiet make room, and it is still new although
		// it began before they were heard last.
		_, err = tell(l, "bo", reached("bo", start, start.Add(time.Minute), 2))
		require.NoError(t, err)
		time.Sleep(3 * quietAfter)
		synctest.Wait()
		tally, err = tell(l, "cy", reached("cy", start, time.Now(), 9))
		require.NoError(t, err)
		assert.Equal(t, "9", tally.Cost.String())
		tally, err = tell(l, "bo", reached("bo", start, time.Now(), 3))
		require.NoError(t, err)
		assert.Zero(t, tally.Cost, "what was forgotten is not billed again: %v", pointOutcomes(tally))
	})
}

// TestSpansAndMetricsAreNeverBothBilled: books that billed spans before do not
// take what series had counted by then, nor do they when metrics come back.
func TestSpansAndMetricsAreNeverBothBilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		start := time.Now()
		session := func(o Options, use func(*Ledger)) { // each is killed at its end
			use(openWith(t, d, o))
			d = d.crash()
			time.Sleep(time.Second)
		}
		sum := 1.0
		more := func(want string) func(*Ledger) {
			return func(l *Ledger) {
				sum++
				tally, err := tell(l, "ana", reached("ana", start, time.Now().Add(1), sum))
				require.NoError(t, err)
				assert.Equal(t, want, tally.Cost.String(), "at %v", sum)
			}
		}
		spans := func(l *Ledger) {
			sum++ // the series counts the same call
			_, err := commit(l, spend(billing.HourOf(start), uint64(sum), "ana", "1"))
			require.NoError(t, err)
		}
		forTraces := Options{Retention: retention, Logger: zap.NewNop()}
		session(forTraces, spans)
		session(forMetrics, func(l *Ledger) { more("0")(l); more("1")(l) })
		session(forMetrics, more("1"))
		session(forTraces, spans)
		session(forMetrics, more("0"))
		session(forMetrics, more("1"))
		session(forTraces, func(l *Ledger) { spans(l); time.Sleep(checkpointAfter + maintainEvery); synctest.Wait(); spans(l) })
		session(forTraces, spans)
		session(forMetrics, func(l *Ledger) {
			more("0")(l)
			time.Sleep(checkpointAfter + maintainEvery)
			synctest.Wait()
			more("1")(l)
		})
		session(forMetrics, more("1"))
		// A process that begins now was counted by nobody.
		session(forMetrics, func(l *Ledger) {
			tally, err := tell(l, "ana", reached("ana", time.Now(), time.Now().Add(1), 2))
			require.NoError(t, err)
			assert.Equal(t, "2", tally.Cost.String())
		})
	})
}

func TestEarlierSumsAreSkippedIfSomebodyElseBilledThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := forMetrics
		o.BilledBefore = func(context.Context) bool { return true }
		start := time.Now().Add(-time.Hour)
		for o, want := range map[*Options]string{&forMetrics: "5", &o: "0"} {
			l := openWith(t, newDisk(), *o)
			tally, err := tell(l, "ana", reached("ana", start, time.Now().Add(1), 5))
			require.NoError(t, err)
			assert.Equal(t, want, tally.Cost.String())
		}
	})
}

// TestSeriesThatCannotBeReadAreNotBilledAgain: a corrupt piece costs what those
// series told since, never a second bill.
func TestSeriesThatCannotBeReadAreNotBilledAgain(t *testing.T) {
	t.Parallel()
	for _, key := range []string{seriesHeadKey, seriesKey(1)} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				l := openWith(t, d, forMetrics)
				start := time.Now()
				_, err := tell(l, "ana", reached("ana", start, start.Add(1), 1))
				require.NoError(t, err)
				require.NoError(t, l.Close(context.Background()))
				d = d.crash()
				require.NotEmpty(t, d.values[key])
				d.values[key][7] ^= 1
				time.Sleep(time.Minute)
				for range 2 {
					time.Sleep(time.Second)
					l = openWith(t, d, forMetrics)
					tally, err := tell(l, "ana", reached("ana", start, time.Now(), 3))
					require.NoError(t, err)
					assert.Equal(t, "0", tally.Cost.String())
					tally, err = tell(l, "bo", reached("bo", time.Now(), time.Now().Add(1), 2))
					require.NoError(t, err)
					assert.Equal(t, "2", tally.Cost.String(), "a process that begins now is believed")
					require.NoError(t, l.Close(context.Background()))
				}
				assert.NotEmpty(t, d.values[asideKey(key)])
				assert.Equal(t, "5", openWith(t, d, forMetrics).Balance().Read().String(), "1, and the 2 that bo's processes spent each")
			})
		})
	}
}

// TestACheckpointWritesTheSeriesThatChanged, and not the others.
func TestACheckpointWritesTheSeriesThatChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		o := forMetrics
		o.SeriesLimit = 200_000
		l := openWith(t, d, o)
		start := time.Now()
		const many = 60_000
		points := make([]usage.Point, many)
		for i := range points {
			points[i] = usage.Point{
				Cumulative: true, Series: uint64(i + 1), Start: uint64(start.UnixNano()), Time: uint64(start.UnixNano() + 1), Sum: 1,
			}
		}
		_, err := tell(l, "ana", points...)
		require.NoError(t, err)
		checkpoint := func() {
			time.Sleep(checkpointAfter + 2*maintainEvery)
			synctest.Wait()
		}
		chunks := func() (sizes []int) {
			d.mu.Lock()
			defer d.mu.Unlock()
			for chunk := range uint64(100) {
				if value, ok := d.values[seriesKey(chunk)]; ok {
					sizes = append(sizes, len(value)/36)
				}
			}
			return sizes
		}
		checkpoint()
		assert.Equal(t, []int{seriesInChunk, many - seriesInChunk}, chunks())
		for i := range 3 {
			points[i].Sum, points[i].Time = 2, points[i].Time+1
		}
		_, err = tell(l, "ana", points...)
		require.NoError(t, err)
		checkpoint()
		assert.Equal(t, []int{seriesInChunk, many - seriesInChunk, 3}, chunks())

		// When most of what is written is out of date, all is written once anew.
		for round := range 3 {
			for i := range points {
				points[i].Sum, points[i].Time = float64(3+round), points[i].Time+1
			}
			_, err = tell(l, "ana", points...)
			require.NoError(t, err)
			checkpoint()
		}
		total := 0
		for _, size := range chunks() {
			total += size
		}
		assert.LessOrEqual(t, total, 3*many+seriesInChunk)
		want := strconv.Itoa(5 * many)
		assert.Equal(t, want, l.Balance().Read().String())
		again := openWith(t, d.crash(), o)
		assert.Equal(t, many, again.Series().Known)
		tally, err := tell(again, "ana", points...)
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"unchanged": many}, pointOutcomes(tally))
	})
}
