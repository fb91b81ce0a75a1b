package ledger

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// unpriced is a call of user that nobody has a price for.
func unpriced(at billing.Hour, identity uint64, user string) *usage.Record {
	r := spend(at, identity, user, "0")
	r.Outcome = billing.Unpriced
	return r
}

func TestCallsWithoutAPriceAreCountedOverRestartsAndRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(noon.Start()))
		d := newDisk()
		l := open(t, d)
		_, err := commit(l, spend(noon, 1, "ana", "0.5"), unpriced(noon, 2, "ana"), unpriced(noon, 3, "bo"), unpriced(noon, 3, "bo"))
		require.NoError(t, err)
		check := func(l *Ledger) {
			b := l.Balance()
			require.Len(t, b.Months, 1)
			assert.EqualValues(t, 2, b.Months[0].Unpriced)
			assert.EqualValues(t, 30, b.Months[0].UnpricedTokens)
		}
		check(l)
		check(open(t, d.crash())) // from the journal
		time.Sleep(checkpointAfter + maintainEvery)
		l = open(t, d.crash()) // from a checkpoint
		check(l)
		c, err := l.Contents(context.Background(), noon)
		require.NoError(t, err)
		require.Len(t, c.Rows, 2)
		ana := c.Rows[1]
		assert.EqualValues(t, 1, ana.Unpriced)
		assert.EqualValues(t, 15, ana.UnpricedTokens)
		assert.EqualValues(t, 2, ana.Requests)

		require.NoError(t, l.MarkPosted(context.Background(), map[billing.Hour]Posting{noon: {Revision: c.Revision, Cost: c.Totals.Cost}}))
		time.Sleep(l.opts.Retention + 2*time.Hour)
		assert.Empty(t, l.Hours())
		check(l) // from what is left of hours that were let go
	})
}
