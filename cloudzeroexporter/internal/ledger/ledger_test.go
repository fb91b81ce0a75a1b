package ledger

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

var noon = billing.HourOf(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))

func TestCommitReturnsOnlyWhenItIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		gate := make(chan struct{})
		d.set(func(d *disk) { d.gate = gate })
		acknowledged := make(chan error, 2)
		go func() { _, err := commit(l, spend(noon, 1, "ana", "0.5")); acknowledged <- err }()
		synctest.Wait()
		// The same call again, while the first is being written: it must not be
		// acknowledged as a duplicate of something that can still be lost.
		go func() { _, err := commit(l, spend(noon, 1, "ana", "0.5")); acknowledged <- err }()
		synctest.Wait()
		require.Empty(t, acknowledged)
		require.Zero(t, d.crash().keys("journal/"))
		close(gate)
		require.NoError(t, <-acknowledged)
		require.NoError(t, <-acknowledged)
		assert.Equal(t, map[string]string{"2026-11-24T12:00:00Z ana": "0.5"}, costs(t, open(t, d.crash())))
	})
}

func TestConcurrentCommitsShareOneWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		gate := make(chan struct{})
		d.set(func(d *disk) { d.gate = gate })
		acknowledged := make(chan error)
		for i := range uint64(100) {
			go func() { _, err := commit(l, spend(noon, i+1, "ana", "0.01")); acknowledged <- err }()
			synctest.Wait()
		}
		close(gate)
		for range 100 {
			require.NoError(t, <-acknowledged)
		}
		assert.Equal(t, 2, d.keys("journal/"), "the first, and all that came while it was written")
		assert.Equal(t, map[string]string{"2026-11-24T12:00:00Z ana": "1"}, costs(t, l))
	})
}

// TestFewCallsWaitAndManyDoNot: a commit is made at the latest after a while, and at
// once when many calls wait for it, but no further one because many waited before.
func TestFewCallsWaitAndManyDoNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pause = time.Second
		l := openWith(t, newDisk(), Options{Retention: retention, Logger: zap.NewNop(), CommitEvery: pause})
		var told atomic.Uint64
		calls := func(n int) error {
			_, err := commit(l, spends(n, &told)...)
			return err
		}
		took := func(n int) time.Duration {
			began := time.Now()
			require.NoError(t, calls(n))
			return time.Since(began)
		}
		assert.Zero(t, took(1), "nothing was written lately")
		assert.Equal(t, pause, took(1))
		assert.Zero(t, took(manyCalls))
		assert.Equal(t, pause, took(manyCalls-1))
		time.Sleep(pause)
		assert.Zero(t, took(manyCalls), "nothing was written lately, so nobody waited")
		assert.Equal(t, pause, took(1), "those many are written")

		// Many are so many of all who wait.
		began := time.Now()
		acknowledged := make(chan error)
		for range 2 {
			go func() { acknowledged <- calls(manyCalls / 2) }()
		}
		require.NoError(t, <-acknowledged)
		require.NoError(t, <-acknowledged)
		assert.Zero(t, time.Since(began))
	})
}

// TestManyCallsThatCannotBeWrittenWaitLikeFew: what is tried again is no reason to
// hurry, or each call would be an attempt, and an error in the log.
func TestManyCallsThatCannotBeWrittenWaitLikeFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pause = time.Second
		d := newDisk()
		l := openWith(t, d, Options{Retention: retention, Logger: zap.NewNop(), CommitEvery: pause})
		d.set(func(d *disk) { d.broken = true })
		var told atomic.Uint64
		fail := func(n int) {
			_, err := commit(l, spends(n, &told)...)
			require.Error(t, err)
		}
		fail(manyCalls)
		for range 3 {
			began := time.Now()
			fail(1)
			assert.Equal(t, pause, time.Since(began))
		}
		d.set(func(d *disk) { d.broken = false })
		_, err := commit(l, spends(1, &told)...)
		require.NoError(t, err)
		want := map[string]string{"2026-11-24T12:00:00Z ana": "5.16"} // 512 + 3 + 1 calls
		assert.Equal(t, want, costs(t, l))
		assert.Equal(t, want, costs(t, open(t, d.crash())))
	})
}

func TestACallIsBookedOnce(t *testing.T) {
	t.Parallel()
	free := func(r *usage.Record) *usage.Record { r.Outcome = billing.Free; return r }
	answered := func(r *usage.Record, id uint64, fromProvider bool) *usage.Record {
		r.Answer, r.FromProvider = id, fromProvider
		return r
	}
	hit := func(r *usage.Record) *usage.Record { r.CacheHit = true; return free(r) }
	for name, c := range map[string]struct {
		records []*usage.Record
		want    map[string]int64
		cost    string
	}{
		"the same identity":                      {[]*usage.Record{spend(noon, 1, "a", "1"), spend(noon, 1, "a", "1")}, map[string]int64{"billed": 1, "duplicate": 1}, "1"},
		"another identity":                       {[]*usage.Record{spend(noon, 1, "a", "1"), spend(noon, 2, "a", "1")}, map[string]int64{"billed": 2}, "2"},
		"a cache hit is no usage":                {[]*usage.Record{hit(spend(noon, 1, "a", "0"))}, map[string]int64{"free": 1}, ""},
		"a price of 0 is usage":                  {[]*usage.Record{free(spend(noon, 1, "a", "0"))}, map[string]int64{"free": 1}, "0"},
		"an answer that was billed":              {[]*usage.Record{answered(spend(noon, 1, "a", "1"), 9, true), answered(spend(noon+3, 2, "a", "1"), 9, false)}, map[string]int64{"billed": 1, "free": 1}, "1"},
		"an answer billed without headers":       {[]*usage.Record{answered(spend(noon, 1, "a", "1"), 9, false), answered(spend(noon, 2, "a", "1"), 9, true)}, map[string]int64{"billed": 1, "free": 1}, "1"},
		"a server that repeats its ids":          {[]*usage.Record{answered(spend(noon, 1, "a", "1"), 9, true), answered(spend(noon, 2, "a", "1"), 9, true)}, map[string]int64{"billed": 2}, "2"},
		"a hit is no sighting of its answer":     {[]*usage.Record{answered(hit(spend(noon, 1, "a", "0")), 9, false), answered(spend(noon, 2, "a", "1"), 9, true)}, map[string]int64{"free": 1, "billed": 1}, "1"},
		"failures and nonsense are only counted": {[]*usage.Record{{Outcome: billing.Failed, Call: 1}, {Outcome: billing.Invalid, Call: 1}}, map[string]int64{"failed": 1, "invalid": 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			l := open(t, d)
			got, err := commit(l, c.records...)
			require.NoError(t, err)
			assert.Equal(t, c.want, outcomes(got))
			want := map[string]string{}
			if c.cost != "" {
				want["2026-11-24T12:00:00Z a"] = c.cost
			}
			assert.Equal(t, want, costs(t, l))

			// Whatever was told once is a duplicate or free after a restart, too.
			again := open(t, d.crash())
			_, err = commit(again, c.records...)
			require.NoError(t, err)
			assert.Equal(t, want, costs(t, again))
		})
	}
}

func TestACallWithoutABelievableTimeIsBookedOnceOverTheTurnOfTheHour(t *testing.T) {
	t.Parallel()
	d := newDisk()
	arrived := func(at billing.Hour) *usage.Record {
		r := spend(at, 7, "a", "1")
		r.Corrected = true
		return r
	}
	l := open(t, d)
	got, err := commit(l, arrived(noon))
	require.NoError(t, err)
	assert.Equal(t, int64(1), got.Corrected)
	for _, books := range []*Ledger{l, open(t, d.crash())} {
		got, err = commit(books, arrived(noon+1))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"duplicate": 1}, outcomes(got))
	}
}

func TestAFailedCommitLosesNothingAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*disk){
		"the write did not happen": func(d *disk) { d.broken = true },
		"the write did happen":     func(d *disk) { d.lying = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				l := open(t, d)
				_, err := commit(l, spend(noon, 1, "ana", "1"))
				require.NoError(t, err)

				d.set(fail)
				_, err = commit(l, spend(noon, 2, "bo", "2"), spend(noon, 3, "ana", "4"))
				require.ErrorIs(t, err, errDisk)
				got, err := commit(l, spend(noon, 2, "bo", "2"), spend(noon, 4, "cy", "8"))
				require.ErrorIs(t, err, errDisk, "a repetition of what is not stored is not acknowledged")
				assert.Equal(t, map[string]int64{"duplicate": 1, "billed": 1}, outcomes(got))
				assert.Equal(t, 3, l.Balance().Uncommitted)

				d.set(func(d *disk) { d.broken, d.lying = false, false })
				time.Sleep(maintainEvery) // it is tried again without being asked
				synctest.Wait()
				assert.Zero(t, l.Balance().Uncommitted)
				want := map[string]string{"2026-11-24T12:00:00Z ana": "5", "2026-11-24T12:00:00Z bo": "2", "2026-11-24T12:00:00Z cy": "8"}
				assert.Equal(t, want, costs(t, l))
				assert.Equal(t, want, costs(t, open(t, d.crash())))
			})
		})
	}
}

func TestCallsAreRefusedAtTheDoorWhenTheStorageIsFarBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		d.set(func(d *disk) { d.broken = true })
		var b Batch
		for i := range uint64(maxUncommitted) {
			b.Add(byUser, spend(noon, i+1, "ana", "0.001"))
		}
		require.ErrorIs(t, l.Commit(context.Background(), &b), errDisk)
		tally, err := commit(l, spend(noon, maxUncommitted+1, "ana", "1"))
		require.ErrorIs(t, err, ErrBehind)
		assert.Empty(t, outcomes(tally), "what was refused was not counted")
		d.set(func(d *disk) { d.broken = false })
		time.Sleep(maintainEvery)
		synctest.Wait()
		_, err = commit(l, spend(noon, maxUncommitted+1, "ana", "1"))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"2026-11-24T12:00:00Z ana": "201"}, costs(t, l))
	})
}

func TestACommitThatIsGivenUpIsWrittenAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		gate := make(chan struct{})
		d.set(func(d *disk) { d.gate = gate })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var b Batch
		b.Add(byUser, spend(noon, 1, "ana", "1"))
		require.ErrorIs(t, l.Commit(ctx, &b), context.DeadlineExceeded)
		close(gate)
		synctest.Wait()
		assert.Equal(t, map[string]string{"2026-11-24T12:00:00Z ana": "1"}, costs(t, open(t, d.crash())))
	})
}

func TestCloseIsFinal(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	_, err := commit(l, spend(noon, 1, "ana", "1"))
	require.NoError(t, err)
	require.NoError(t, l.Close(context.Background()))
	require.NoError(t, l.Close(context.Background()))
	assert.Zero(t, d.keys("journal/"), "a clean end leaves no journal to read")
	_, err = commit(l, spend(noon, 2, "ana", "1"))
	require.ErrorIs(t, err, errClosed)
	require.ErrorIs(t, l.MarkPosted(context.Background(), nil), errClosed)
}
