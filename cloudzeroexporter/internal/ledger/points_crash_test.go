package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// TestACrashAtEveryWriteNeitherLosesNorDoublesMetrics is the story of points, on
// a disk that breaks at its nth operation, for every n.
func TestACrashAtEveryWriteNeitherLosesNorDoublesMetrics(t *testing.T) {
	t.Parallel()
	ended := false
	for n := 1; !ended; n++ {
		require.Less(t, n, 1000)
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.left = n
			l, err := Open(context.Background(), d, forMetrics)
			if err == nil {
				err = pointStory(l)
				_ = l.Close(context.Background())
			}
			ended = err == nil
			crashed := d.crash()
			require.NoError(t, pointStory(openWith(t, crashed, forMetrics)), "cut at %d", n)
			want := map[string]string{"2000-01-01T00:00:00Z ana": "5.5", "2000-01-01T00:00:00Z bo": "2", "2000-01-01T01:00:00Z ana": "2"}
			assert.Equal(t, want, costs(t, openWith(t, crashed.crash(), forMetrics)), "cut at %d", n)
		})
	}
}

// pointStory is told twice when the first time is cut: every point, in order.
func pointStory(l *Ledger) error {
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	second := begin.Add(30 * time.Minute) // LiteLLM begins again
	for _, step := range []struct {
		user  string
		point usage.Point
	}{
		{"ana", reached("ana", begin, begin.Add(time.Second), 1)},
		{"bo", reached("bo", begin, begin.Add(time.Second), 2)},
		{"ana", reached("ana", begin, begin.Add(2*time.Second), 2.5)},
		{},
		{"ana", reached("ana", begin, begin.Add(2*time.Second), 2.5)},
		{"ana", reached("ana", second, second.Add(time.Second), 3)},
		{},
		{"ana", reached("ana", second, begin.Add(time.Hour), 5)},
	} {
		if step.user == "" {
			time.Sleep(checkpointAfter + 2*maintainEvery)
			synctest.Wait()
			continue
		}
		if _, err := tell(l, step.user, step.point); err != nil {
			return err
		}
	}
	return l.Close(context.Background())
}

// TestSeriesAgreeWithAPlainMap does random things: processes that spend and end,
// points that get lost, are repeated and come late, time, faults, crashes.
func TestSeriesAgreeWithAPlainMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		steps := rapid.IntRange(1, 80).Draw(rt, "steps")
		var failure error
		synctest.Test(t, func(*testing.T) { failure = wanderPoints(rand.New(rand.NewPCG(seed, 0)), steps) })
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// wanderPoints returns how the books first differ from what was acknowledged.
func wanderPoints(random *rand.Rand, steps int) (failure error) {
	ctx := context.Background()
	d := newDisk()
	open := func(d *disk) *Ledger {
		l, err := Open(ctx, d, forMetrics)
		failure = errors.Join(failure, err)
		return l
	}
	l := open(d)
	type process struct {
		start time.Time
		told  []usage.Point
	}
	var processes []*process
	acknowledged := make(map[uint64]usage.Point) // the latest, by series
	send := func(p usage.Point) {
		if _, err := tell(l, "ana", p); err == nil && p.Time > acknowledged[p.Series].Time {
			acknowledged[p.Series] = p
		}
	}
	spend := func(p *process) {
		sum := 0.0
		if n := len(p.told); n > 0 {
			sum = p.told[n-1].Sum
		}
		p.told = append(p.told, reached("ana", p.start, time.Now(), sum+float64(1+random.IntN(100))/100))
	}
	heal := func() { d.set(func(d *disk) { d.broken, d.lying, d.left = false, false, -1 }) }
	for range steps {
		time.Sleep(time.Duration(1+random.IntN(1000)) * time.Millisecond)
		if len(processes) == 0 || random.IntN(10) == 0 {
			processes = append(processes, &process{start: time.Now().Add(-time.Millisecond)})
		}
		p := processes[random.IntN(len(processes))]
		switch action := random.IntN(12); {
		case action < 5:
			spend(p)
			send(p.told[len(p.told)-1])
		case action == 5:
			spend(p) // lost on the way
		case action < 8 && len(p.told) > 0:
			send(p.told[random.IntN(len(p.told))])
		case action == 8:
			left := random.IntN(8)
			d.set(func(d *disk) { d.broken, d.lying, d.left = left == 0, left == 1, left-2 })
		case action == 9:
			heal()
		case action == 10:
			crashed := d.crash()
			d.set(func(d *disk) { d.broken = true })
			_ = l.Close(ctx)
			d = crashed
			if l = open(d); l == nil {
				return failure
			}
		default:
			time.Sleep(time.Duration(random.IntN(90)) * time.Minute)
			synctest.Wait()
		}
	}
	heal()
	for _, p := range processes { // LiteLLM goes on sending
		if len(p.told) > 0 {
			time.Sleep(time.Second)
			last := p.told[len(p.told)-1]
			last.Time = uint64(time.Now().UnixNano())
			send(last)
		}
	}
	var want billing.Amount
	for _, p := range acknowledged {
		a, err := billing.AmountOf(p.Sum)
		failure = errors.Join(failure, err)
		want = want.Add(a)
	}
	reopened := open(d.crash())
	for name, books := range map[string]*Ledger{"in memory": l, "after a crash": reopened} {
		if got := books.Balance().Read(); got != want {
			failure = errors.Join(failure, fmt.Errorf("%s: %s in the books, %s were told", name, got, want))
		}
		failure = errors.Join(failure, books.Close(ctx))
	}
	return failure
}
