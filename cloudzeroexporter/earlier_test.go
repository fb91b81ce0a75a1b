package cloudzeroexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// TestWhoBilledWhatSeriesHadCountedBefore: new books are told of a sum of 5 that
// a LiteLLM has counted since long, and that it then grows by 2.
func TestWhoBilledWhatSeriesHadCountedBefore(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		earlier string
		denied  []anycosttest.Scope
		fault   *anycosttest.Fault
		rows    bool // AnyCost holds some of November 2026
		later   time.Duration
		want    string
		warning string
	}{
		"nobody":                          {earlier: earlierAuto, want: "7", warning: "had counted before these books began; that is billed"},
		"somebody, this month":            {earlier: earlierAuto, rows: true, want: "2", warning: "AnyCost holds rows of this month or the last one"},
		"somebody, last month":            {earlier: earlierAuto, rows: true, later: 30 * day, want: "2", warning: "AnyCost holds rows of this month or the last one"},
		"somebody, long ago":              {earlier: earlierAuto, rows: true, later: 60 * day, want: "7", warning: "had counted before these books began; that is billed"},
		"the key may not list":            {earlier: earlierAuto, denied: []anycosttest.Scope{anycosttest.List}, want: "2", warning: "AnyCost does not tell what it holds"},
		"AnyCost does not answer in time": {earlier: earlierAuto, fault: &anycosttest.Fault{Delay: time.Minute}, want: "2", warning: "AnyCost does not tell what it holds"},
		"AnyCost is in trouble":           {earlier: earlierAuto, fault: &anycosttest.Fault{Status: 503}, want: "2", warning: "AnyCost does not tell what it holds"},
		"it is said: bill":                {earlier: earlierBill, rows: true, want: "7", warning: "had counted before these books began; that is billed"},
		"it is said: skip":                {earlier: earlierSkip, want: "2", warning: "what they had counted is not billed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				r.deny(c.denied...)
				if c.rows {
					r.another("replace_hourly", "10T00", "czrn:litellm:openai:cross-region:a:llm-usage:gpt-0", "100")
				}
				time.Sleep(c.later)
				r.cfg.Metrics.Earlier = c.earlier
				if c.fault != nil {
					r.anycost.Fail(*c.fault)
				}
				began := time.Now()
				e := r.startMetrics()
				assert.LessOrEqual(t, time.Since(began), askFor)
				since := time.Now().Add(-100 * time.Hour)
				for _, sum := range []float64{5, 5, 7} {
					require.NoError(t, e.ConsumeMetrics(t.Context(), spent(since, time.Now(), "a", sum)))
					time.Sleep(time.Second)
				}
				assert.NotEmpty(t, r.logs.FilterMessageSnippet(c.warning).All())
				pass(3 * time.Hour)
				costs := r.costs()
				delete(costs, "11-10T00")
				require.Len(t, costs, 1)
				for _, cost := range costs {
					assert.Equal(t, c.want, cost)
				}
			})
		})
	}
}

// TestMetricsAfterALostStorageAreBilledOnce: a LiteLLM goes on counting while the
// books begin anew, and tells all of it again.
func TestMetricsAfterALostStorageAreBilledOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		began := time.Now()
		tell := func(sum float64) {
			t.Helper()
			require.NoError(t, r.last.pushMetrics(t.Context(), spent(began, time.Now(), "a", sum)))
		}
		e := r.startMetrics()
		tell(0.1)
		tell(0.3)
		pass(3 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))
		assert.Equal(t, map[string]string{"11-24T12": "0.3"}, r.costs())

		r.host.extensions[diskID] = &diskExtension{disk: newMemory()}
		for range 2 { // a restart does not ask again
			r.startMetrics()
			tell(0.3)
			require.NoError(t, r.last.shutdown(t.Context()))
		}
		r.startMetrics()
		tell(0.75)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "0.3", "11-24T15": "0.45"}, r.costs())
	})
}

// TestASeriesThatBeginsWhileTheBooksAskIsBilled: nobody else can have billed it.
func TestASeriesThatBeginsWhileTheBooksAskIsBilled(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.another("replace_hourly", "10T00", "czrn:litellm:openai:cross-region:a:llm-usage:gpt-0", "100")
		r.anycost.Fail(anycosttest.Fault{Delay: 4 * time.Second})
		began := time.Now().Add(2 * time.Second)
		e := r.startMetrics()
		require.NoError(t, e.ConsumeMetrics(t.Context(), spent(began, time.Now(), "a", 3)))
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-10T00": "100", "11-24T12": "3"}, r.costs())
	})
}

// TestMetricsOfBooksWithoutAConnection are those of a storage that was lost together
// with a connection that was set up on the console: LiteLLM tells again what is billed.
func TestMetricsOfBooksWithoutAConnection(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, disks *disksExtension) {
		began := time.Now()
		tell := func(sum float64) {
			t.Helper()
			require.NoError(t, r.last.pushMetrics(t.Context(), spent(began, time.Now(), "a", sum)))
		}
		e := r.startMetrics()
		r.put(goodSettings)
		tell(5)
		pass(3 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))
		assert.Equal(t, map[string]string{"11-24T12": "5"}, r.costs())

		clear(disks.disks)
		r.startMetrics()
		assert.Len(t, r.logs.FilterMessageSnippet("No connection is set up that could tell").All(), 2, "one for each books")
		tell(6)
		r.put(goodSettings)
		tell(7)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "5", "11-24T15": "1"}, r.costs())
	})
}
