package cloudzeroexporter

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// TestMetricsAreBilledToTheLastDigit replays the metrics that real LiteLLMs
// sent, in several ways, and compares the cost that AnyCost holds with what
// LiteLLM computed.
func TestMetricsAreBilledToTheLastDigit(t *testing.T) {
	t.Parallel()
	for _, name := range capturesWith(t, "metrics.jsonl.gz", 5) {
		for way, replay := range metricReplays {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				capture := loadCapture(t, name)
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					sleepUntil(afterCaptures)
					replay(t, r, capture.Metrics)
					time.Sleep(time.Hour) // one round
					synctest.Wait()
					assert.Equal(t, captures.Money(capture.Lines()), captures.Money(captures.Posted(r.anycost.Rows())))
					assert.Equal(t, capture.Total, r.anycost.Total())
					assert.Empty(t, r.anycost.Violations())
				})
			})
		}
	}
}

var metricReplays = map[string]func(*testing.T, *rig, []pmetric.Metrics){
	"as recorded": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		consumeAll(t, r.startMetrics().ConsumeMetrics, requests)
		total := int64(0)
		for _, points := range r.outcomes("points") {
			total += points
		}
		assert.EqualValues(t, pointsIn(requests), total, "every point has one outcome")
		assert.Zero(t, r.outcomes("points")["invalid"]+r.outcomes("points")["skipped"])
	},
	"every request twice": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		e := r.startMetrics()
		for _, md := range requests {
			consumeAll(t, e.ConsumeMetrics, []pmetric.Metrics{md, md})
		}
	},
	"all, and then all again": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		consumeAll(t, r.startMetrics().ConsumeMetrics, slices.Concat(requests, requests))
	},
	"backwards": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		requests = slices.Clone(requests)
		slices.Reverse(requests)
		consumeAll(t, r.startMetrics().ConsumeMetrics, requests)
	},
	"shuffled, thrice": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		e := r.startMetrics()
		for range 3 {
			consumeAll(t, e.ConsumeMetrics, shuffledMetrics(requests))
		}
	},
	"four clients that all send everything": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		e := r.startMetrics()
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { consumeAll(t, e.ConsumeMetrics, shuffledMetrics(requests)) })
		}
		clients.Wait()
	},
	"a crash after every request": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		for _, md := range requests {
			e := r.startMetrics()
			consumeAll(t, e.ConsumeMetrics, []pmetric.Metrics{md})
			next := r.afterCrash()
			assert.NoError(t, e.Shutdown(t.Context())) // what it writes now, the next one does not see
			*r = *next
		}
		consumeAll(t, r.startMetrics().ConsumeMetrics, requests)
	},
	"a restart with a checkpoint after every request": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		for _, md := range requests {
			e := r.startMetrics()
			consumeAll(t, e.ConsumeMetrics, []pmetric.Metrics{md})
			assert.NoError(t, e.Shutdown(t.Context()))
		}
		consumeAll(t, r.startMetrics().ConsumeMetrics, requests)
	},
	"point by point": func(t *testing.T, r *rig, requests []pmetric.Metrics) {
		e := r.startMetrics()
		for _, md := range requests {
			consumeAll(t, e.ConsumeMetrics, shuffledMetrics(captures.CutMetrics(md)))
		}
	},
}

func shuffledMetrics(requests []pmetric.Metrics) []pmetric.Metrics {
	requests = slices.Clone(requests)
	rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	return requests
}

func pointsIn(requests []pmetric.Metrics) (n int) {
	for _, md := range requests {
		n += md.DataPointCount()
	}
	return n
}
