package ledger

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// TestIdentitiesAreASet compares with a map, with identities that want the same
// slot, the one that stands for none among them.
func TestIdentitiesAreASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var set identities
		want := make(map[uint64]uint16)
		id := rapid.OneOf(rapid.Uint64Range(1, 40), rapid.Uint64().Filter(func(id uint64) bool { return id != 0 }))
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch id := id.Draw(t, "id"); rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				mark := rapid.Uint16().Draw(t, "mark")
				set.setMark(id, mark)
				want[id] = mark
			case 1:
				_, known := want[id]
				require.Equal(t, known, set.has(id))
			case 2:
				set.grow(rapid.IntRange(0, 50).Draw(t, "more"))
			case 3:
				least := rapid.Uint16().Draw(t, "least")
				fresh := func(mark uint16) bool { return mark >= least }
				set.remove(fresh)
				maps.DeleteFunc(want, func(_ uint64, mark uint16) bool { return !fresh(mark) })
			}
		}
		require.Equal(t, len(want), set.n)
		for id, mark := range want {
			got, found := set.mark(id)
			require.True(t, found)
			require.Equal(t, mark, got)
		}
	})
}

// mark is the mark of an identity, if it is in the set.
func (s *identities) mark(id uint64) (mark uint16, found bool) {
	if s.n == 0 {
		return 0, false
	}
	at, found := s.slot(slotID(id))
	if !found {
		return 0, false
	}
	return s.marks[at], true
}

func TestIdentitiesWithoutMarks(t *testing.T) {
	t.Parallel()
	var set identities
	assert.False(t, set.has(0))
	for id := range uint64(1000) {
		assert.False(t, set.has(id+2))
		assert.True(t, set.add(id+2))
		assert.False(t, set.add(id+2))
	}
	assert.True(t, set.add(0), "what no slot can hold stands in another")
	assert.True(t, set.has(0))
	assert.Equal(t, 1001, set.n)
	assert.LessOrEqual(t, len(set.slots), 2048)
}

// TestAnswersAreForgottenByTheirHour does so also when the clock was put back,
// and where the marks' hours begin anew.
func TestAnswersAreForgottenByTheirHour(t *testing.T) {
	t.Parallel()
	for _, now := range []billing.Hour{500_000, 1 << 15, 1<<15 - 1, 1<<19 + 47} {
		a := newAnswers()
		for age := billing.Hour(-2); age <= 60; age++ {
			id := uint64(100 + age)
			require.False(t, a.hear(id, now-age, true))
			a.displace(id+1000, now-age)
			a.chunks[now-age] = 1
		}
		expired := a.forget(now - answersKept)
		assert.Len(t, expired, 60-answersKept)
		for age := billing.Hour(-2); age <= 60; age++ {
			mark, known := a.heard.mark(uint64(100 + age))
			assert.Equal(t, age <= answersKept, known, "%d hours old", age)
			assert.Equal(t, known, mark&providerMark != 0)
			assert.Equal(t, known, a.isDisplaced(uint64(1100+age)))
		}
	}
}
