package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// slot is a part of a disk, with its failures.
type slot struct {
	*disk
	name string
}

// slot opens a slot of an archive that is on the disk. Like a file_storage, it is
// not opened twice.
func (d *disk) slot(_ context.Context, number int) (storage.Client, error) {
	name := fmt.Sprintf("slot %d: ", number)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened[name] {
		return nil, errDisk
	}
	if d.opened == nil {
		d.opened = make(map[string]bool)
	}
	d.opened[name] = true
	return &slot{d, name}, nil
}

func (s *slot) Get(ctx context.Context, key string) ([]byte, error) {
	return s.disk.Get(ctx, s.name+key)
}

func (s *slot) Set(ctx context.Context, key string, value []byte) error {
	return s.Batch(ctx, storage.SetOperation(key, value))
}

func (s *slot) Batch(ctx context.Context, ops ...*storage.Operation) error {
	own := make([]*storage.Operation, len(ops))
	for i, op := range ops {
		own[i] = &storage.Operation{Type: op.Type, Key: s.name + op.Key, Value: op.Value}
	}
	return s.disk.Batch(ctx, own...)
}

func (s *slot) Close(context.Context) error {
	s.set(func(d *disk) { delete(d.opened, s.name) })
	return nil
}

// archived are the options of books whose hours go to the disk's archive when they
// have been over for an hour.
func archived(d *disk) Options {
	return Options{Retention: 840 * time.Hour, Logger: zap.NewNop(), Archive: d.slot, ArchiveAfter: time.Hour}
}

func openArchived(t *testing.T, d *disk) *Ledger {
	t.Helper()
	return openWith(t, d, archived(d))
}

// untilArchived is enough time for what was committed to rest and to be moved.
func untilArchived() {
	time.Sleep(2*time.Hour + checkpointAfter + idleAfter + 3*maintainEvery)
	synctest.Wait()
}

func TestCallsOfOldHoursAreKnownFromTheArchive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openArchived(t, d)
		now := billing.HourOf(time.Now())
		_, err := commit(l, spend(now, 1, "ana", "1"), spend(now-30, 2, "bo", "2"))
		require.NoError(t, err)
		for calls := uint64(2); calls < 5; calls++ { // a late one each time
			untilArchived()
			assert.Zero(t, d.keys("seen/"), "all of them are in the archive")
			assert.Equal(t, 2, d.keysWith("archived/"))
			assert.Zero(t, l.Balance().Identities)
			assert.Zero(t, d.keys("journal/"))
			for _, books := range []*Ledger{openArchived(t, d.crash()), l} {
				got, err := commit(books, spend(now, 1, "ana", "1"), spend(now-30, 2, "bo", "2"))
				require.NoError(t, err)
				assert.Equal(t, map[string]int64{"duplicate": 2}, outcomes(got))
				for late := uint64(2); late < calls; late++ {
					got, err = commit(books, spend(now, late+1, "ana", "1"))
					require.NoError(t, err)
					assert.Equal(t, map[string]int64{"duplicate": 1}, outcomes(got))
				}
			}
			got, err := commit(l, spend(now, calls+1, "ana", "1"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"billed": 1}, outcomes(got))
		}
	})
}

// TestACrashAtEveryWriteOfTheArchiveLosesNoIdentity moves hours on a disk that
// breaks at the nth operation, for every n, and mends.
func TestACrashAtEveryWriteOfTheArchiveLosesNoIdentity(t *testing.T) {
	t.Parallel()
	ended := false
	for cut := 0; !ended; cut++ {
		require.Less(t, cut, 200)
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			l := openArchived(t, d)
			now := billing.HourOf(time.Now())
			calls := []*usage.Record{
				spend(now, 1, "ana", "1"), spend(now, 2, "bo", "1"), spend(now-1, 3, "ana", "1"), spend(now-40, 4, "ana", "1"),
			}
			known := func(books *Ledger, calls ...*usage.Record) {
				got, err := commit(books, calls...)
				require.NoError(t, err, "cut at %d", cut)
				assert.Equal(t, map[string]int64{"duplicate": int64(len(calls))}, outcomes(got), "cut at %d", cut)
			}
			_, err := commit(l, calls...)
			require.NoError(t, err)
			time.Sleep(checkpointAfter + maintainEvery)
			d.set(func(d *disk) { d.left = cut })
			untilArchived()
			known(openArchived(t, d.crash()), calls...)
			crashed := d.crash() // as it was found, with a call that comes late
			late := openArchived(t, crashed)
			_, err = commit(late, spend(now, 5, "ana", "1"), spend(now-1, 6, "ana", "1"))
			require.NoError(t, err)
			time.Sleep(checkpointAfter + maintainEvery)
			known(openArchived(t, crashed.crash()), append(calls, spend(now, 5, "ana", "1"), spend(now-1, 6, "ana", "1"))...)

			// The same without a crash: late calls are moved behind the others.
			d.set(func(d *disk) { ended = d.left > 0; d.left = -1 })
			time.Sleep(archiveAgain)
			untilArchived()
			assert.Zero(t, d.keys("seen/"), "cut at %d", cut)
			_, err = commit(l, spend(now, 5, "ana", "1"))
			require.NoError(t, err)
			calls = append(calls, spend(now, 5, "ana", "1"))
			d.set(func(d *disk) { d.left = cut })
			untilArchived()
			d.set(func(d *disk) { ended = ended && d.left > 0; d.left = -1 })
			known(openArchived(t, d.crash()), calls...)
			// One more, while chunks of the hour may still have to be deleted.
			_, err = commit(l, spend(now, 7, "ana", "1"))
			require.NoError(t, err)
			calls = append(calls, spend(now, 7, "ana", "1"))
			known(l, calls...)
			time.Sleep(checkpointAfter + maintainEvery)
			known(openArchived(t, d.crash()), calls...)
			time.Sleep(archiveAgain)
			untilArchived()
			assert.Zero(t, d.keys("seen/"), "cut at %d", cut)
			assert.Zero(t, l.Balance().Identities)
			known(openArchived(t, d.crash()), calls...)
		})
	}
}

// TestASlotIsUsedAgain: when its turn comes, hours that have left the books make
// room, and one that is held stays known.
func TestASlotIsUsedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		opts := archived(d)
		opts.Retention = 48 * time.Hour // three slots
		l := openWith(t, d, opts)
		held := billing.HourOf(time.Now())
		for day := range billing.Hour(9) {
			at := held + 24*day
			_, err := commit(l, spend(at, 1, "ana", "1"), spend(at+1, 2, "ana", "2"), spend(at+2, 3, "ana", "4"))
			require.NoError(t, err)
			for h := at; h < at+3; h++ {
				if h != held {
					post(t, l, h)
				}
			}
			time.Sleep(time.Until((at + 24).Start()))
		}
		synctest.Wait()
		assert.LessOrEqual(t, d.keysWith("archived/"), 3*4+1, "the archive does not grow")
		assert.Equal(t, 3, d.keysWith(": "+archiveIndexKey))
		crashed := d.crash()
		opts.Archive = crashed.slot
		for _, books := range []*Ledger{openWith(t, crashed, opts), l} {
			got, err := commit(books, spend(held, 1, "ana", "1"), spend(held+1, 2, "ana", "2"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"duplicate": 1, "rejected": 1}, outcomes(got))
		}
	})
}

func TestASlotThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		opts := archived(d)
		core, logs := observer.New(zap.ErrorLevel)
		opts.Logger = zap.New(core)
		var stuck atomic.Bool
		today := billing.HourOf(time.Now()) // the first of its day
		unable := slotOf(today-1, opts.Retention)
		opts.Archive = func(ctx context.Context, number int) (storage.Client, error) {
			if stuck.Load() && number == unable {
				return nil, errDisk
			}
			return d.slot(ctx, number)
		}
		require.NotEqual(t, unable, slotOf(today, opts.Retention))
		l := openWith(t, d, opts)
		stuck.Store(true)
		_, err := commit(l, spend(today, 1, "ana", "1"), spend(today-1, 2, "ana", "1"))
		require.NoError(t, err)
		untilArchived()
		untilArchived()
		assert.Equal(t, 1, logs.Len(), "it is said once: %v", logs.All())
		assert.Equal(t, 1, d.keys("seen/"), "it stays where it is")
		assert.Equal(t, 1, d.keysWith("archived/"), "the others do not wait")

		stuck.Store(false)
		time.Sleep(archiveAgain)
		untilArchived()
		assert.Zero(t, d.keys("seen/"))
		assert.Equal(t, 1, logs.Len())

		stuck.Store(true)
		_, err = commit(l, spend(today-1, 2, "ana", "1"))
		require.ErrorIs(t, err, errDisk, "nobody knows whether it is new")
		require.ErrorContains(t, err, fmt.Sprintf("open slot %d of the archive", unable))
		stuck.Store(false)
		got, err := commit(l, spend(today-1, 2, "ana", "1"))
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{"duplicate": 1}, outcomes(got))
	})
}

func TestAValueOfTheArchiveThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*disk)
		want map[string]int64
		says string
	}{
		"an hour":            {rot("archived/"), map[string]int64{"billed": 1}, "may be missing"},
		"an hour is missing": {lose("archived/"), map[string]int64{"billed": 1}, "may be missing"},
		"the list of hours":  {rot(archiveIndexKey), map[string]int64{"duplicate": 1}, "may be missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				opts := archived(d)
				core, logs := observer.New(zap.ErrorLevel)
				opts.Logger = zap.New(core)
				l := openWith(t, d, opts)
				at := billing.HourOf(time.Now())
				_, err := commit(l, spend(at, 1, "ana", "1"), spend(at+1, 2, "ana", "1"))
				require.NoError(t, err)
				untilArchived()
				c.harm(d)
				got, err := commit(l, spend(at, 1, "ana", "1"))
				require.NoError(t, err)
				assert.Equal(t, c.want, outcomes(got))
				_, err = commit(l, spend(at, 3, "ana", "1"))
				require.NoError(t, err)
				untilArchived()
				assert.Positive(t, logs.Len())
				assert.Contains(t, logs.All()[0].Message, c.says)
				got, err = commit(l, spend(at, 1, "ana", "1"), spend(at+1, 2, "ana", "1"), spend(at, 3, "ana", "1"))
				require.NoError(t, err)
				assert.Equal(t, map[string]int64{"duplicate": 3}, outcomes(got), "what was heard since is known")
			})
		})
	}
}

// TestAnHourInTheArchiveWhoseRowsCannotBeRead loses its rows and keeps its calls.
func TestAnHourInTheArchiveWhoseRowsCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openArchived(t, d)
		at := billing.HourOf(time.Now())
		_, err := commit(l, spend(at, 1, "ana", "1"))
		require.NoError(t, err)
		untilArchived()
		rot(hourKey(at))(d)
		_, err = commit(l, spend(at, 2, "ana", "1"))
		require.NoError(t, err)
		time.Sleep(checkpointAfter + maintainEvery)
		before := d.crash()
		untilArchived()
		for _, books := range []*Ledger{openArchived(t, before), openArchived(t, d.crash()), l} {
			got, err := commit(books, spend(at, 1, "ana", "1"), spend(at, 2, "ana", "1"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"duplicate": 2}, outcomes(got))
		}
	})
}

// TestASlotIsOpenOnce: a file_storage that is opened a second time waits for the
// first, and gives up.
func TestASlotIsOpenOnce(t *testing.T) {
	t.Parallel()
	a := archive{open: newDisk().slot}
	for range 2 {
		require.NoError(t, a.with(t.Context(), 1, func(store) error {
			assert.False(t, a.mu.TryLock(), "somebody else could open it")
			return nil
		}))
	}
	require.ErrorIs(t, a.with(t.Context(), 1, func(store) error {
		_, err := a.open(t.Context(), 1)
		return err
	}), errDisk)
}

// rot makes one bit of the first value wrong whose key has the name in it.
func rot(name string) func(*disk) {
	return func(d *disk) {
		d.set(func(d *disk) {
			key := d.first(name)
			value := append([]byte(nil), d.values[key]...)
			value[len(value)-1] ^= 1
			d.values[key] = value
		})
	}
}

func lose(name string) func(*disk) {
	return func(d *disk) { d.set(func(d *disk) { delete(d.values, d.first(name)) }) }
}

func TestCommitsGoOnWhileHoursAreMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openArchived(t, d)
		now := billing.HourOf(time.Now())
		const senders, hours, rounds = 8, 5, 40
		var all sync.WaitGroup
		for sender := range senders {
			all.Go(func() {
				for round := range rounds {
					at := now - billing.Hour((round+sender)%hours)
					_, err := commit(l, spend(at, uint64(at)*1000+uint64(round), "ana", "1"))
					assert.NoError(t, err)
					time.Sleep(time.Duration(1+(round*sender)%37) * time.Minute)
				}
			})
		}
		all.Wait()
		untilArchived()
		assert.Zero(t, d.keys("seen/"))
		want := strconv.Itoa(rounds * hours)
		assert.Equal(t, want, l.Balance().Read().String(), "each call once, whoever told it")
		assert.Equal(t, want, openArchived(t, d.crash()).Balance().Read().String())
	})
}

func TestTheArchiveAtOnce(t *testing.T) {
	t.Parallel()
	d := newDisk()
	ctx := context.Background()
	l, err := Open(ctx, d, archived(d))
	require.NoError(t, err)
	past := billing.HourOf(time.Now()) - 50
	for i := range billing.Hour(48) {
		_, err = commit(l, spend(past+i, 1, "ana", "1"))
		require.NoError(t, err)
	}
	require.NoError(t, l.Close(ctx))
	require.Equal(t, 48, d.keys("seen/"))
	d.set(func(d *disk) { d.left = 3 })
	require.ErrorIs(t, Archive(ctx, d, archived(d)), errDisk)
	d.set(func(d *disk) { d.left = -1 })
	require.NoError(t, Archive(ctx, d, archived(d)))
	assert.Zero(t, d.keys("seen/"))
	assert.Equal(t, 48, d.keysWith("archived/"))
	got, err := commit(openArchived(t, d), spend(past, 1, "ana", "1"), spend(past+47, 1, "ana", "1"))
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"duplicate": 2}, outcomes(got))

	without := openWith(t, d.crash(), Options{Retention: 840 * time.Hour, Logger: zap.NewNop()})
	_, err = commit(without, spend(past, 1, "ana", "1"))
	require.ErrorContains(t, err, "there is none")
	require.NotErrorIs(t, err, ErrCorrupt)
}

// first is the first key that has the text in it, of the lock's holder.
func (d *disk) first(text string) string {
	first := ""
	for key := range d.values {
		if strings.Contains(key, text) && (first == "" || key < first) {
			first = key
		}
	}
	return first
}

// keysWith is the number of keys that have the text in them.
func (d *disk) keysWith(text string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.values {
		if strings.Contains(key, text) {
			n++
		}
	}
	return n
}
