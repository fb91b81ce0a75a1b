package ledger

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

func added(t *testing.T, id, cost string) AddedRows {
	t.Helper()
	a, err := billing.ParseAmount(cost)
	require.NoError(t, err)
	return AddedRows{Totals: map[string]cbf.Totals{id: {Cost: a, Requests: 1}}, Rows: 1, Bytes: 500}
}

// TestAnAdditionOverACrash cuts the writes of an addition at every place: whoever
// opens the books then knows whether a request can have been sent, and what it asked.
func TestAnAdditionOverACrash(t *testing.T) {
	t.Parallel()
	cost, err := billing.ParseAmount("8.000000000000001")
	require.NoError(t, err)
	recorded := false
	for cut := 0; !recorded; cut++ {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			at := billing.HourOf(time.Now())
			l := open(t, d)
			_, err := commit(l, spend(at, 1, "ana", "3"))
			require.NoError(t, err)
			first := Addition{Done: added(t, "a", "1")}
			require.NoError(t, l.KeepAddition(t.Context(), at, first, 0))

			asking := Addition{Done: first.Done, Asked: added(t, "a", "2"), Before: &Holding{Rows: 7, Cost: cost}}
			d.set(func(d *disk) { d.left = cut })
			asked := l.KeepAddition(t.Context(), at, asking, 99) == nil // then the request is sent
			recorded = asked && l.KeepAddition(t.Context(), at, asking.Taken(), 0) == nil

			after := open(t, d.crash())
			a, err := after.Addition(t.Context(), at)
			require.NoError(t, err)
			posted := after.Hours()[0].Posted
			require.Equal(t, Added, posted.Origin)
			switch doubted := posted.Doubt != 0 && a.Asked.Rows > 0; {
			case doubted:
				assert.Equal(t, asking, a)
				assert.Equal(t, "1", posted.Cost.String())
			case a.Asked.Rows > 0:
				assert.False(t, asked, "nothing was sent")
			case asked:
				assert.Equal(t, "3", a.Done.Cost().String(), "what was sent is not forgotten")
				assert.Equal(t, Holding{Rows: 8, Cost: cost.Add(asking.Asked.Cost())}, *a.Before)
			default:
				assert.Equal(t, first.Done, a.Done)
			}
			d.set(func(d *disk) { d.left = -1 })
			if recorded {
				assert.Equal(t, Posting{Origin: Added, Rows: 2, Bytes: 1000, Cost: asking.Taken().Done.Cost()}, posted)
			}
		})
	}
}
