package cloudzeroexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// TestMetricsThatAreNotBilledAreAddedUp: the sum is what the spans of the same
// calls cost.
func TestMetricsThatAreNotBilledAreAddedUp(t *testing.T) {
	t.Parallel()
	for _, name := range capturesWith(t, "metrics.jsonl.gz", 5) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			capture := loadCapture(t, name)
			reader := usage.NewMetricsReader(usage.Config{Instrumentations: []usage.Instrumentation{usage.LiteLLM}})
			w := newMetricsWatch(reader, 1000, time.Unix(0, 0))
			var hours ledger.HourCosts
			for _, md := range capture.Metrics {
				for _, h := range w.read(md, afterCaptures) {
					hours.Add(h.Hour, h.Cost)
				}
			}
			assert.Equal(t, capture.Total, w.told().String())
			require.Len(t, hours, 1)
			assert.Equal(t, billing.HourOf(afterCaptures)-4, hours[0].Hour)
			assert.Equal(t, w.told(), hours[0].Cost)
		})
	}
}

func TestWhatSeriesHadCountedBeforeTheStartIsNotSeen(t *testing.T) {
	t.Parallel()
	reader := usage.NewMetricsReader(usage.Config{Instrumentations: []usage.Instrumentation{usage.LiteLLM}})
	w := newMetricsWatch(reader, 1000, noon)
	for i, sum := range []float64{5, 6, 6, 7.5} {
		w.read(spent(noon.Add(-time.Hour), noon.Add(time.Duration(i+1)), "a", sum), noon)
	}
	w.read(spent(noon.Add(time.Second), noon.Add(time.Minute), "a", 3), noon)
	assert.Equal(t, "5.5", w.told().String())
}
