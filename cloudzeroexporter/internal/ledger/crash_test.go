package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// TestACrashAtEveryWriteLosesNothing runs one story on a disk that breaks at
// its nth operation, batches cut in the middle included; reopens what is on it
// with the sender repeating what was not acknowledged; and raises n until the
// story ends without a break.
func TestACrashAtEveryWriteLosesNothing(t *testing.T) {
	t.Parallel()
	ended := false
	for n := 2*fences + 1; !ended; n++ { // so many operations begin the books
		require.Less(t, n, 1000)
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.left = n
			err := story(open(t, d))
			ended = err == nil
			crashed := d.crash()
			require.NoError(t, story(open(t, crashed)), "cut at %d", n)
			// Once more, without a sender who repeats.
			assert.Equal(t, storyCosts, costs(t, open(t, crashed.crash())), "cut at %d", n)
		})
	}
}

var storyCosts = map[string]string{
	"2000-01-01T00:00:00Z ana": "12.000000000000003",
	"2000-01-01T00:00:00Z bo":  "0.3",
	"2000-01-01T01:00:00Z ana": "64",
	"2000-01-01T01:00:00Z cy":  "0.001",
}

// story commits, waits for checkpoints, posts and comes late; it stops at the
// first error, as a sender that waits for its acknowledgement does.
func story(l *Ledger) error {
	first := billing.HourOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // where synctest begins
	answered := spend(first+1, 6, "cy", "0.001")
	answered.Answer = 77
	hit := spend(first+1, 7, "cy", "0.001")
	hit.Answer = 77
	steps := [][]*usage.Record{
		{spend(first, 1, "ana", "4"), spend(first, 2, "bo", "0.1")},
		{spend(first, 3, "bo", "0.2"), spend(first, 1, "ana", "4")},
		nil,
		{answered, spend(first+1, 5, "ana", "64")},
		{hit},
		nil,
		{spend(first, 8, "ana", "8.000000000000003")},
	}
	for _, records := range steps {
		if records == nil {
			time.Sleep(checkpointAfter + idleAfter + maintainEvery)
			synctest.Wait()
			c, err := l.Contents(context.Background(), first)
			if err != nil {
				return err
			}
			err = l.MarkPosted(context.Background(), map[billing.Hour]Posting{first: {Revision: c.Revision, Cost: c.Totals.Cost}})
			if err != nil {
				return err
			}
			continue
		}
		if _, err := commit(l, records...); err != nil {
			return err
		}
	}
	return l.Close(context.Background())
}

// truth is the plain model of the books: which call costs how much.
type truth struct {
	called map[string]*usage.Record
	posted map[billing.Hour]billing.Amount
}

func (m *truth) costs() map[string]string {
	sums := make(map[string]billing.Amount)
	for _, r := range m.called {
		key := r.Hour.String() + " " + r.User
		sums[key] = sums[key].Add(r.Cost)
	}
	printed := make(map[string]string, len(sums))
	for key, sum := range sums {
		printed[key] = sum.String()
	}
	return printed
}

// TestTheBooksAgreeWithAPlainMap does random things to the books: commits that
// overlap, repeat and come late, time, faults of the storage, crashes.
func TestTheBooksAgreeWithAPlainMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.IntRange(1, 60).Draw(rt, "steps")
		var failure error
		synctest.Test(t, func(*testing.T) {
			failure = wander(rand.New(rand.NewPCG(seed, 0)), steps)
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// wander returns how the books first differ from the model.
func wander(random *rand.Rand, steps int) (failure error) {
	ctx := context.Background()
	d := newDisk()
	model := truth{called: make(map[string]*usage.Record), posted: make(map[billing.Hour]billing.Amount)}
	reopen := func() *Ledger {
		l, err := Open(ctx, d, archived(d))
		failure = errors.Join(failure, err)
		return l
	}
	l := reopen()
	defer func() { failure = errors.Join(failure, l.Close(ctx)) }()
	var unacknowledged [][]*usage.Record
	send := func(records []*usage.Record) {
		if _, err := commit(l, records...); err != nil {
			unacknowledged = append(unacknowledged, records)
			return
		}
		for _, r := range records {
			model.called[strconv.FormatUint(r.Call, 10)] = r
		}
	}
	for range steps {
		switch action := random.IntN(12); {
		case action < 5:
			var records []*usage.Record
			for range 1 + random.IntN(6) {
				at := billing.HourOf(time.Now()) - billing.Hour(random.IntN(30))
				id := uint64(random.IntN(40)) + 1
				// A call is what its identity says, whoever tells it.
				r := spend(at, id*1000+uint64(at), string(rune('a'+id%5)), fmt.Sprintf("0.%015d", id*7))
				records = append(records, r)
			}
			send(records)
		case action < 7:
			time.Sleep(time.Duration(random.IntN(90)) * time.Minute)
			synctest.Wait()
		case action == 7:
			left := random.IntN(8)
			d.set(func(d *disk) { d.broken, d.lying, d.left = left == 0, left == 1, left-2 })
		case action == 8:
			d.set(func(d *disk) { d.broken, d.lying, d.left = false, false, -1 })
		case action == 9: // killed, with the old process still around but cut off
			crashed := d.crash()
			d.set(func(d *disk) { d.broken = true })
			_ = l.Close(ctx)
			d = crashed
			l = reopen()
			if l == nil {
				return failure
			}
		case action == 10:
			for _, s := range l.Hours() {
				if s.Unposted() && l.MarkPosted(ctx, map[billing.Hour]Posting{s.Hour: {Revision: s.Revision, Cost: s.Totals.Cost}}) == nil {
					model.posted[s.Hour] = s.Totals.Cost
				}
			}
		default: // the sender repeats, as often as it takes
			d.set(func(d *disk) { d.broken, d.lying, d.left = false, false, -1 })
			again := unacknowledged
			unacknowledged = nil
			for _, records := range again {
				send(records)
			}
		}
	}
	d.set(func(d *disk) { d.broken, d.lying, d.left = false, false, -1 })
	for _, records := range unacknowledged {
		send(records)
	}
	return errors.Join(failure, model.compare(l, d))
}

// compare compares the model with the books and with what a crash leaves.
func (m *truth) compare(l *Ledger, d *disk) error {
	crashed := d.crash()
	reopened, err := Open(context.Background(), crashed, archived(crashed))
	if err != nil {
		return err
	}
	defer func() { _ = reopened.Close(context.Background()) }()
	for name, books := range map[string]*Ledger{"in memory": l, "after a crash": reopened} {
		var r recorder
		if !assert.Equal(&r, m.costs(), costs(&r, books), name) {
			return fmt.Errorf("%s: %s", name, r)
		}
		for _, s := range books.Hours() {
			if want := m.posted[s.Hour]; s.Posted.Cost != want && s.Posted.Cost.Cmp(want) < 0 {
				return fmt.Errorf("%s: hour %s was posted with %s, the books say %s", name, s.Hour, want, s.Posted.Cost)
			}
		}
	}
	return nil
}

// recorder keeps what an assertion says.
type recorder string

func (r *recorder) Errorf(format string, args ...any) { *r += recorder(fmt.Sprintf(format, args...)) }
func (r *recorder) FailNow()                          { panic(string(*r)) }
