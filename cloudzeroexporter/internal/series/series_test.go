package series

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// take tells the set of a point and returns the verdict and what it adds.
func take(s *Set, p Point, now billing.Hour) (Verdict, billing.Amount) {
	step := s.Judge(p)
	switch step.Verdict {
	case Nothing, Excess:
		return step.Verdict, billing.Amount{}
	case Earlier:
		s.Keep(p, now)
		return Earlier, billing.Amount{}
	default:
		s.Keep(p, now)
		return step.Verdict, step.Cost(p)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	s := NewSet(2)
	for _, c := range []struct {
		point Point
		want  Verdict
		cost  string
	}{
		{Point{ID: 1, Start: 5, Time: 10, Sum: 0.1, Count: 1}, First, "0.1"},
		{Point{ID: 1, Start: 5, Time: 20, Sum: 0.30000000000000004, Count: 2}, More, "0.2"},
		{Point{ID: 1, Start: 5, Time: 30, Sum: 0.30000000000000004, Count: 2}, Nothing, "0"},
		{Point{ID: 1, Start: 5, Time: 10, Sum: 0.1, Count: 1}, Nothing, "0"},
		{Point{ID: 1, Start: 5, Time: 20, Sum: 0.4, Count: 2}, More, "0.1"}, // the same time, but more
		{Point{ID: 1, Start: 5, Time: 20, Sum: 0.3, Count: 1}, Nothing, "0"},
		{Point{ID: 2, Start: 5, Time: 10, Sum: 7, Count: 1}, First, "7"},
		{Point{ID: 3, Start: 5, Time: 10, Sum: 7, Count: 1}, Excess, "0"},
		{Point{ID: 2, Start: 5, Time: 20, Sum: 3, Count: 2}, Reset, "3"},
		{Point{ID: 2, Start: 5, Time: 30, Sum: 4, Count: 1}, Reset, "4"},
		{Point{ID: 2, Start: 5, Time: 25, Sum: 9, Count: 9}, Nothing, "0"},
		{Point{ID: 2, Start: 5, Time: 40, Sum: 10, Count: 9}, More, "6"},
	} {
		verdict, cost := take(s, c.point, 1)
		assert.Equal(t, c.want, verdict, "%+v", c.point)
		assert.Equal(t, c.cost, cost.String(), "%+v", c.point)
	}
}

func TestTokensAndCountsAreDifferencesToo(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	first, second := Point{ID: 1, Time: 1, Sum: 100, Count: 1}, Point{ID: 1, Time: 2, Sum: 250, Count: 3}
	step := s.Judge(first)
	s.Keep(first, 1)
	assert.Equal(t, []uint64{100, 1}, []uint64{step.Tokens(first), step.Count(first)})
	step = s.Judge(second)
	assert.Equal(t, []uint64{150, 2}, []uint64{step.Tokens(second), step.Count(second)})
}

// TestSeriesAddUpToTheirLastSum: however many points a series is told in, its
// steps are its last sum, to the last digit.
func TestSeriesAddUpToTheirLastSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := NewSet(1)
		var sum float64
		var total billing.Amount
		for i, cost := range rapid.SliceOfN(rapid.Float64Range(0, 10), 1, 200).Draw(t, "costs") {
			sum += cost
			_, told := take(s, Point{ID: 1, Start: 1, Time: uint64(i + 2), Sum: sum, Count: uint64(i + 1)}, 1)
			total = total.Add(told)
		}
		want, err := billing.AmountOf(sum)
		require.NoError(t, err)
		require.Equal(t, want, total)
	})
}

// process is a plain model of a sender: what it has spent since it began.
type process struct {
	start   uint64
	history []Point
}

// TestProcessesThatComeGoAndRepeatThemselves: many processes share one name for
// a series; their points come in any order of processes, repeated and late.
// What is billed is what each of them has reached.
func TestProcessesThatComeGoAndRepeatThemselves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := NewSet(1000)
		clock := uint64(100)
		var processes []*process
		var billed billing.Amount
		told := make(map[uint64]Point) // the latest point of each start that was told
		tell := func(p Point) {
			_, cost := take(s, p, billing.Hour(1))
			billed = billed.Add(cost)
			if p.Time > told[p.ID].Time {
				told[p.ID] = p
			}
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			clock++
			switch action := rapid.IntRange(0, 5).Draw(t, "action"); {
			case action == 0 || len(processes) == 0: // one begins
				processes = append(processes, &process{start: clock})
			case action <= 3: // one goes on
				p := processes[rapid.IntRange(0, len(processes)-1).Draw(t, "process")]
				next := Point{ID: p.start, Start: p.start, Time: clock}
				if n := len(p.history); n > 0 {
					next.Sum, next.Count = p.history[n-1].Sum, p.history[n-1].Count
				}
				next.Sum += float64(rapid.IntRange(0, 100).Draw(t, "cents")) / 100
				next.Count++
				p.history = append(p.history, next)
				if action < 3 { // else it got lost
					tell(next)
				}
			case action == 4: // one repeats something
				p := processes[rapid.IntRange(0, len(processes)-1).Draw(t, "process")]
				if len(p.history) > 0 {
					tell(p.history[rapid.IntRange(0, len(p.history)-1).Draw(t, "point")])
				}
			default: // the books are read again, from what was written
				packed, _ := s.TakeUnsaved(true, 7)
				next := NewSet(1000)
				for _, piece := range packed {
					require.NoError(t, next.Restore(piece, false))
				}
				s = next
			}
		}
		var want billing.Amount
		for _, p := range told {
			reached, err := billing.AmountOf(p.Sum)
			require.NoError(t, err)
			want = want.Add(reached)
		}
		require.Equal(t, want, billed)
	})
}

func TestWhatIsForgottenIsNotBilledAgain(t *testing.T) {
	t.Parallel()
	s := NewSet(10)
	old := Point{ID: 1, Start: 5, Time: 10, Sum: 1, Count: 1}
	take(s, old, 1)
	take(s, Point{ID: 2, Start: 6, Time: 10, Sum: 1, Count: 1}, 2)
	assert.Zero(t, s.Forget(100), "nothing that no chunk has")
	s.TakeUnwritten()
	s.TakeUnsaved(false, 100)
	assert.Equal(t, 1, s.Forget(2))
	assert.Equal(t, 1, s.Len())

	old.Time, old.Sum = 1000, 3 // it comes back
	verdict, cost := take(s, old, 3)
	assert.Equal(t, Earlier, verdict)
	assert.Equal(t, "0", cost.String())
	old.Time, old.Sum = 1001, 4.5
	_, cost = take(s, old, 3)
	assert.Equal(t, "1.5", cost.String(), "from then on it counts")

	verdict, cost = take(s, Point{ID: 3, Start: 11, Time: 12, Sum: 2, Count: 1}, 3)
	assert.Equal(t, First, verdict, "a series that began later was never forgotten")
	assert.Equal(t, "2", cost.String())
}

func TestASeriesOfUnknownStartIsTakenToBeYoung(t *testing.T) {
	t.Parallel()
	s := NewSet(10)
	s.Distrust(10 * unknownAge)
	verdict, _ := take(s, Point{ID: 1, Time: 10*unknownAge + 1, Sum: 1}, 1)
	assert.Equal(t, Earlier, verdict)
	verdict, _ = take(s, Point{ID: 2, Time: 11 * unknownAge, Sum: 1}, 1)
	assert.Equal(t, First, verdict)
}

func TestRoomIsMadeForTheYoung(t *testing.T) {
	t.Parallel()
	const limit = 80
	s := NewSet(limit)
	for i := range uint64(limit) {
		take(s, Point{ID: i, Start: 1, Time: 2 + i, Sum: 1, Count: 1}, billing.Hour(i/8))
	}
	s.TakeUnwritten()
	s.TakeUnsaved(false, 1000)
	assert.Zero(t, s.MakeRoom(0), "all were heard lately")
	assert.Equal(t, 16, s.MakeRoom(100), "two hours of the oldest, for an eighth")
	assert.Equal(t, limit-16, s.Len())
	verdict, _ := take(s, Point{ID: 1000, Start: 50, Time: 60, Sum: 1, Count: 1}, 11)
	assert.Equal(t, First, verdict)
	assert.Zero(t, s.MakeRoom(100), "it is not full")
}

func TestASeriesWithoutRoomIsNewOrNotAsItWasBefore(t *testing.T) {
	t.Parallel()
	s := NewSet(1)
	s.Distrust(10)
	take(s, Point{ID: 1, Start: 20, Time: 1000, Sum: 1, Count: 1}, 1)
	s.TakeUnwritten()
	s.TakeUnsaved(false, 10)
	young, old := Point{ID: 2, Start: 30, Time: 40, Sum: 2, Count: 1}, Point{ID: 3, Start: 5, Time: 40, Sum: 2, Count: 1}
	for _, p := range []Point{young, old} {
		verdict, _ := take(s, p, 1)
		assert.Equal(t, Excess, verdict)
		s.Defer(p)
	}
	assert.Equal(t, 1, s.MakeRoom(5))
	assert.Equal(t, First, s.Judge(young).Verdict, "although what was forgotten was told of later")
	assert.Equal(t, Earlier, s.Judge(old).Verdict)
}

func TestKnownIsHeard(t *testing.T) {
	t.Parallel()
	s := NewSet(10)
	p := Point{ID: 1, Start: 5, Time: 10, Sum: 1, Count: 1}
	assert.False(t, s.Known(p, 1))
	s.Keep(p, 1)
	s.TakeUnwritten()
	s.TakeUnsaved(false, 100)
	p.Time = 99
	assert.True(t, s.Known(p, 50))
	assert.False(t, s.HasUnwritten(), "nothing to write")
	assert.Zero(t, s.Forget(50))
	p.Sum = 2
	assert.False(t, s.Known(p, 50))
}

func TestPutBack(t *testing.T) {
	t.Parallel()
	s := NewSet(10)
	p := Point{ID: 1, Start: 5, Time: 10, Sum: math.Pi, Count: 1}
	s.Keep(p, 1)
	packed, ids := s.TakeUnwritten()
	assert.False(t, s.HasUnwritten())
	s.PutBack(ids)
	again, _ := s.TakeUnwritten()
	assert.Equal(t, packed, again)

	_, ids = s.TakeUnsaved(false, 10)
	none, _ := s.TakeUnsaved(false, 10)
	assert.Empty(t, none)
	s.PutBackUnsaved(ids)
	pieces, _ := s.TakeUnsaved(false, 10)
	assert.Equal(t, [][]byte{packed}, pieces)
	assert.Error(t, s.Restore(packed[1:], false))
}

func BenchmarkKnown(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := NewSet(n)
			id := func(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }
			for i := range n {
				s.Keep(Point{ID: id(i), Start: 1, Time: 2, Sum: 1, Count: 1}, 1)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !s.Known(Point{ID: id(i % n), Start: 1, Time: 3, Sum: 1, Count: 1}, 1) {
					b.Fatal("unknown")
				}
			}
		})
	}
}

// TestMemoryPerSeries keeps true what the README says of it.
//
//nolint:paralleltest // it looks at the whole heap
func TestMemoryPerSeries(t *testing.T) {
	var worst uint64
	for _, n := range []int{100_000, 500_000} { // a table just grown is the worst
		before := heap()
		s := NewSet(n)
		for i := range uint64(n) {
			s.Keep(Point{ID: i * 0x9e3779b97f4a7c15, Time: i}, 1)
		}
		s.TakeUnwritten()
		s.TakeUnsaved(false, n)
		bytes := (heap() - before) / uint64(n)
		t.Logf("%d series: %d bytes each", s.Len(), bytes)
		worst = max(worst, bytes)
	}
	assert.LessOrEqual(t, worst, uint64(100))
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
