package ledger

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// TestACheckpointThatIsCutDoublesNothing: on a storage without transactions, one
// is cut at each of its operations while a call waits for its commit; then the
// sender repeats it.
func TestACheckpointThatIsCutDoublesNothing(t *testing.T) {
	t.Parallel()
	for cut := range 10 {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			l := open(t, d)
			at := billing.HourOf(time.Now())
			_, err := commit(l, spend(at, 1, "ana", "1"))
			require.NoError(t, err)
			time.Sleep(checkpointAfter + maintainEvery) // the first checkpoint
			_, err = commit(l, spend(at, 4, "cy", "8"))
			require.NoError(t, err)
			time.Sleep(checkpointAfter - maintainEvery - time.Second)
			d.set(func(d *disk) { d.broken = true })
			_, err = commit(l, spend(at, 2, "ana", "2")) // stays pending
			require.Error(t, err)
			gate := make(chan struct{})
			d.set(func(d *disk) { d.broken, d.gate = false, gate })
			time.Sleep(2 * maintainEvery) // the writer is in the flush of call 2
			go func() { _, _ = commit(l, spend(at, 3, "bo", "4")) }()
			synctest.Wait()
			d.set(func(d *disk) { d.left, d.gate = 1+cut, nil }) // the journal entry, then so much of the checkpoint
			close(gate)
			synctest.Wait()
			crashed := d.crash()
			d.set(func(d *disk) { d.left = -1 })
			again := open(t, crashed)
			_, err = commit(again, spend(at, 2, "ana", "2"), spend(at, 3, "bo", "4"))
			require.NoError(t, err)
			assert.Equal(t, map[string]string{at.String() + " ana": "3", at.String() + " bo": "4", at.String() + " cy": "8"}, costs(t, again), "cut at %d", cut)
		})
	}
}
