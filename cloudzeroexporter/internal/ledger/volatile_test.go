package ledger

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// TestVolatileBooksWriteOnlyHoursThatRest: what ends with the process needs no
// journal, and bills each call once all the same.
func TestVolatileBooksWriteOnlyHoursThatRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := openWith(t, d, Options{Retention: retention, Volatile: true, NeverPosted: true, Logger: zap.NewNop()})
		now := billing.HourOf(time.Now())
		answered := spend(now, 2, "bo", "2")
		answered.Answer = 9
		_, err := commit(l, spend(now, 1, "ana", "1"), answered)
		require.NoError(t, err)
		d.set(func(d *disk) { d.broken = true })
		got, err := commit(l, spend(now, 1, "ana", "1"))
		require.NoError(t, err, "nothing is written, so nothing fails")
		assert.Equal(t, map[string]int64{"duplicate": 1}, outcomes(got))
		assert.Zero(t, l.Balance().Uncommitted)

		time.Sleep(idleAfter + 3*maintainEvery)
		synctest.Wait()
		assert.Positive(t, l.Balance().Identities, "an hour that cannot be written stays in memory")
		d.set(func(d *disk) { d.broken = false })
		for range 2 { // the second time with an hour that was written before
			time.Sleep(idleAfter + 3*maintainEvery)
			synctest.Wait()
			assert.Equal(t, 1, l.Balance().Identities, "only the answer")
			got, err = commit(l, spend(now, 1, "ana", "1"), spend(now, uint64(time.Now().UnixNano()), "bo", "4"))
			require.NoError(t, err)
			assert.Equal(t, map[string]int64{"duplicate": 1, "billed": 1}, outcomes(got))
		}
		assert.Equal(t, map[string]string{now.String() + " ana": "1", now.String() + " bo": "10"}, costs(t, l))

		time.Sleep((answersKept+1)*time.Hour + idleAfter)
		_, err = commit(l, spend(billing.HourOf(time.Now()), 7, "ana", "1"))
		require.NoError(t, err)
		time.Sleep(idleAfter + 3*maintainEvery)
		synctest.Wait()
		assert.Zero(t, l.Balance().Identities, "the answer is forgotten")
		assert.Zero(t, d.keys("journal/"))
		d.set(func(d *disk) {
			for key, value := range d.values {
				assert.Less(t, len(value), 500, key)
				assert.False(t, strings.HasPrefix(key, "answers/") && len(value) > 20, "answers are not kept: %s", key)
			}
		})
	})
}
