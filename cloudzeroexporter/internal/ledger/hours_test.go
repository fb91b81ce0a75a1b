package ledger

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// post says that AnyCost took the hour as it is now.
func post(t *testing.T, l *Ledger, at billing.Hour) {
	t.Helper()
	c, err := l.Contents(context.Background(), at)
	require.NoError(t, err)
	require.NoError(t, l.MarkPosted(context.Background(), map[billing.Hour]Posting{
		at: {Revision: c.Revision, At: time.Now().Unix(), Rows: len(c.Rows), Bytes: 100, Cost: c.Totals.Cost},
	}))
}

func TestAnHourIsUnpostedWheneverItChanged(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	unposted := func() (hours []string) {
		for _, books := range []*Ledger{l, open(t, d.crash())} {
			hours = nil
			for _, s := range books.Hours() {
				if s.Unposted() {
					hours = append(hours, s.Hour.String())
				}
			}
		}
		return hours
	}
	_, err := commit(l, spend(noon, 1, "ana", "1"), spend(noon+1, 2, "ana", "1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z"}, unposted())
	post(t, l, noon)
	assert.Equal(t, []string{"2026-11-24T13:00:00Z"}, unposted())
	_, err = commit(l, spend(noon, 1, "ana", "1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"2026-11-24T13:00:00Z"}, unposted(), "a duplicate changes nothing")
	_, err = commit(l, spend(noon, 3, "ana", "1"))
	require.NoError(t, err)
	assert.Equal(t, []string{"2026-11-24T12:00:00Z", "2026-11-24T13:00:00Z"}, unposted())
	b := l.Balance()
	assert.Equal(t, "3", b.Read().String())
	assert.Equal(t, "1", b.Posted().String())
}

func TestIdleHoursLeaveMemoryAndComeBackWithLateData(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		now := billing.HourOf(time.Now())
		_, err := commit(l, spend(now, 1, "ana", "1"), spend(now, 2, "bo", "2"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + idleAfter + 2*maintainEvery)
		synctest.Wait()
		assert.Zero(t, d.keys("journal/"))
		assert.Zero(t, l.Balance().Identities)
		assert.Equal(t, "3", l.Balance().Read().String())

		assert.Equal(t, map[string]string{now.String() + " ana": "1", now.String() + " bo": "2"}, costs(t, l))
		assert.Zero(t, l.Balance().Identities, "looking at the books does not bring them back into memory")

		got, err := commit(l, spend(now, 1, "ana", "1"), spend(now, 3, "ana", "4"))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"duplicate": 1, "billed": 1}, outcomes(got))
		want := map[string]string{now.String() + " ana": "5", now.String() + " bo": "2"}
		assert.Equal(t, want, costs(t, l))
		assert.Equal(t, want, costs(t, open(t, d.crash())))
	})
}

// TestTheJournalIsFencedIn: a store that keeps its keys in order, some neighbours to
// a page, has no hour's value in a page with the journal's.
func TestTheJournalIsFencedIn(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	_, err := commit(l, spend(noon, 1, "ana", "1"))
	require.NoError(t, err)
	d.set(func(d *disk) {
		d.values[hourKey(noon)], d.values[seenKey(noon, 0)] = nil, nil
		keys := slices.Sorted(maps.Keys(d.values))
		first := slices.Index(keys, journalKey(0))
		require.Positive(t, first)
		for i := 1; i <= fences; i++ {
			assert.Contains(t, keys[first-i], "journal!")
			assert.Contains(t, keys[first+i], "journal~")
		}
		for _, number := range []uint64{0, 9, 10, 1 << 40} {
			assert.Greater(t, journalKey(number), "journal!9")
			assert.Less(t, journalKey(number), "journal~0")
		}
	})
}

// TestIdentitiesOfAnIdleHourArePutTogether does so with a storage that breaks at
// every one of the writes, and mends: a call stays known.
func TestIdentitiesOfAnIdleHourArePutTogether(t *testing.T) {
	t.Parallel()
	ended := false
	for cut := 0; !ended; cut++ {
		require.Less(t, cut, 20)
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			l := open(t, d)
			now := billing.HourOf(time.Now())
			for id := range uint64(4) { // each in a checkpoint of its own
				_, err := commit(l, spend(now, id+1, "ana", "1"))
				require.NoError(t, err)
				time.Sleep(checkpointAfter + maintainEvery)
			}
			assert.Equal(t, 4, d.keys("seen/"))
			known := func(books *Ledger) {
				got, err := commit(books, spend(now, 1, "ana", "1"), spend(now, 2, "ana", "1"), spend(now, 3, "ana", "1"), spend(now, 4, "ana", "1"))
				require.NoError(t, err, "cut at %d", cut)
				assert.Equal(t, map[string]int64{"duplicate": 4}, outcomes(got), "cut at %d", cut)
			}
			d.set(func(d *disk) { d.left = cut })
			time.Sleep(idleAfter + 3*maintainEvery)
			synctest.Wait()
			d.set(func(d *disk) { ended = d.left > 0; d.left = -1 })
			known(open(t, d.crash()))
			known(l)

			time.Sleep(idleAfter + checkpointAfter + 3*maintainEvery)
			synctest.Wait()
			assert.Equal(t, 1, d.keys("seen/"), "cut at %d", cut)
			assert.Zero(t, l.Balance().Identities)
			known(open(t, d.crash()))
			got, err := commit(l, spend(now, 5, "ana", "1"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"billed": 1}, outcomes(got))
			known(open(t, d.crash()))
		})
	}
}

func TestAnHourLivesAsLongAsTheRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		now := billing.HourOf(time.Now())
		_, err := commit(l, spend(now, 1, "ana", "1"), spend(now+1, 2, "ana", "2"))
		require.NoError(t, err)
		post(t, l, now)
		time.Sleep(842 * time.Hour)
		synctest.Wait()
		for _, books := range []*Ledger{l, open(t, d.crash())} {
			assert.Equal(t, map[string]string{(now + 1).String() + " ana": "2"}, costs(t, books), "what is unposted stays")
			assert.Equal(t, "3", books.Balance().Read().String())
			assert.Equal(t, "1", books.Balance().Posted().String())
			got, err := commit(books, spend(now, 3, "late", "9"), spend(now-24, 4, "later", "8"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"rejected": 1, "billed": 1}, outcomes(got), "only what was posted is closed for good")
		}
		assert.Equal(t, 2, d.keys("hour/")+d.keys("journal/")-d.keys("aside/"), "the hour's contents are gone")
	})
}

func TestAnswersAreForgottenAfterTwoDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		hear := func(identity uint64) map[string]int64 {
			r := spend(billing.HourOf(time.Now()), identity, "ana", "1")
			r.Answer = 99
			got, err := commit(l, r)
			require.NoError(t, err)
			return outcomes(got)
		}
		assert.Equal(t, map[string]int64{"billed": 1}, hear(1))
		time.Sleep(47 * time.Hour)
		assert.Equal(t, map[string]int64{"free": 1}, hear(2))
		assert.NotZero(t, d.keys("answers/"))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		assert.Zero(t, d.keys("answers/"))
		assert.Equal(t, map[string]int64{"billed": 1}, hear(3))
	})
}

func TestTheLastLabelHolds(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	for i, alias := range []string{"Red", "", "Crimson"} {
		r := spend(noon, uint64(i)+1, "ana", "1")
		r.TeamAlias = alias
		_, err := commit(l, r)
		require.NoError(t, err)
	}
	for _, books := range []*Ledger{l, open(t, d.crash())} {
		c, err := books.Contents(context.Background(), noon)
		require.NoError(t, err)
		require.Len(t, c.Rows, 1)
		assert.Equal(t, "Crimson", c.Rows[0].TeamAlias)
	}
}

// TestAStorageThatBreaksWhileAnHourIsGivenUp: the hour's rows and identities rot
// on disk, and the disk is full when the second is put aside.
func TestAStorageThatBreaksWhileAnHourIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		now := billing.HourOf(time.Now())
		_, err := commit(l, spend(now, 1, "ana", "1"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + idleAfter + 2*maintainEvery)
		d.set(func(d *disk) {
			for _, key := range []string{hourKey(now), seenKey(now, 0)} {
				d.values[key][len(d.values[key])-1] ^= 1
			}
			d.left = 1
		})
		_, err = commit(l, spend(now, 2, "ana", "2"))
		require.ErrorIs(t, err, errDisk)
		d.set(func(d *disk) { d.left = -1 })
		_, err = commit(l, spend(now+1, 3, "ana", "4"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + 2*maintainEvery)
		_, err = commit(l, spend(now, 2, "ana", "2"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + 2*maintainEvery)
		synctest.Wait()
		want := map[string]string{now.String() + " ana": "2", (now + 1).String() + " ana": "4"}
		assert.Equal(t, want, costs(t, l))
		assert.Equal(t, want, costs(t, open(t, d.crash())))
		assert.Equal(t, "7", l.Balance().Read().String(), "what was lost is not forgotten")
	})
}

// TestAnAnswerIsRememberedFromTheLastTimeItWasHeard, also over a restart: a
// server that repeats its ids gave it twice.
func TestAnAnswerIsRememberedFromTheLastTimeItWasHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answered := func(call, answer uint64, fromProvider bool) *usage.Record {
			r := spend(billing.HourOf(time.Now()), call, "ana", "1")
			r.Answer, r.FromProvider = answer, fromProvider
			return r
		}
		d := newDisk()
		l := open(t, d)
		const answers = 20 // whose hours are read in any order
		for id := range uint64(answers) {
			_, err := commit(l, answered(2*id+1, id+1, true))
			require.NoError(t, err)
		}
		time.Sleep(47 * time.Hour)
		for id := range uint64(answers) {
			_, err := commit(l, answered(2*id+2, id+1, true))
			require.NoError(t, err)
		}
		time.Sleep(checkpointAfter + maintainEvery)
		require.NoError(t, l.Close(context.Background()))
		for range 8 {
			again := open(t, d.crash())
			time.Sleep(3 * time.Hour)
			got, err := commit(again, answered(1000, 1, false))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"free": 1}, outcomes(got))
			require.NoError(t, again.Close(context.Background()))
		}
	})
}

// TestAPostingNeedsNoContents: after weeks without AnyCost, all hours are posted at
// once, and none of them need be in memory.
func TestAPostingNeedsNoContents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := open(t, d)
		now := billing.HourOf(time.Now())
		_, err := commit(l, spend(now, 1, "ana", "1"), spend(now+1, 2, "bo", "2"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + idleAfter + 2*maintainEvery)
		synctest.Wait()
		d.set(func(d *disk) { d.broken = true })
		failed := make(chan error)
		go func() {
			failed <- l.MarkPosted(t.Context(), map[billing.Hour]Posting{now: {Revision: 1, Rows: 1, Cost: l.Hours()[0].Totals.Cost}})
		}()
		require.ErrorIs(t, <-failed, errDisk)
		d.set(func(d *disk) { d.broken = false })
		post(t, l, now+1)

		want := func(books *Ledger) {
			assert.Zero(t, books.Balance().Identities)
			assert.Equal(t, "3", books.Balance().Read().String())
			assert.Equal(t, "3", books.Balance().Posted().String())
			assert.False(t, books.Hours()[0].Unposted())
			assert.False(t, books.Hours()[1].Unposted())
		}
		want(l)
		want(open(t, d.crash())) // from the journal
		time.Sleep(checkpointAfter + 2*maintainEvery)
		synctest.Wait()
		require.Zero(t, d.keys("journal/"))
		want(open(t, d.crash())) // from the head
		got, err := commit(l, spend(now, 1, "ana", "1"), spend(now, 3, "ana", "1"))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"duplicate": 1, "billed": 1}, outcomes(got))
		assert.True(t, l.Hours()[0].Unposted())
	})
}

// TestNamesThatAreNotText have the row of what they are shown as, each time.
func TestNamesThatAreNotText(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	for id, user := range []string{"ana\xff", "ana\xff", "ana\xfe", "ana�", strings.Repeat("é", 200), strings.Repeat("é", 300)} {
		_, err := commit(l, spend(noon, uint64(id)+1, user, "1"))
		require.NoError(t, err)
	}
	want := map[string]string{noon.String() + " ana�": "4", noon.String() + " " + strings.Repeat("é", 128): "2"}
	assert.Equal(t, want, costs(t, l))
	assert.Equal(t, want, costs(t, open(t, d.crash())))
}
