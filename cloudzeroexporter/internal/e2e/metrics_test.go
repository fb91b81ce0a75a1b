package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

var measured = []string{
	"1.106.2-v1-request-span", "1.106.2-v2", "1.106.2-v2-no-legacy", "1.92.2-default", "1.92.2-request-span",
}

// newMetricsStage is a stage whose collectors bill metrics.
func newMetricsStage(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.options.Env = append(s.options.Env, "SOURCE=metrics")
	return s
}

// sendMetrics sends the requests, each until it is acknowledged.
func sendMetrics(ctx context.Context, c *otelcol.Collector, requests ...pmetric.Metrics) error {
	for _, md := range requests {
		for {
			err := c.SendMetrics(ctx, md)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return errors.Join(ctx.Err(), err)
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	return nil
}

var metricWays = map[string]func(context.Context, *otelcol.Collector, []pmetric.Metrics) error{
	"as recorded": func(ctx context.Context, c *otelcol.Collector, requests []pmetric.Metrics) error {
		return sendMetrics(ctx, c, requests...)
	},
	"twice, in another order": func(ctx context.Context, c *otelcol.Collector, requests []pmetric.Metrics) error {
		requests = slices.Concat(requests, requests)
		rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		return sendMetrics(ctx, c, requests...)
	},
	"four clients at once": func(ctx context.Context, c *otelcol.Collector, requests []pmetric.Metrics) error {
		errs := make([]error, 4)
		var clients sync.WaitGroup
		for i := range errs {
			clients.Go(func() { errs[i] = sendMetrics(ctx, c, requests...) })
		}
		clients.Wait()
		return errors.Join(errs...)
	},
}

// TestMetricsAreBilledToTheLastDigit sends the metrics that real LiteLLMs sent
// to the built collector, and with them the spans of the same calls, which it is
// told not to bill.
func TestMetricsAreBilledToTheLastDigit(t *testing.T) {
	t.Parallel()
	for _, name := range measured {
		for way, replay := range metricWays {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				capture := loadCapture(t, name)
				s := newMetricsStage(t)
				c := s.start()
				require.NoError(t, replay(t.Context(), c, capture.Metrics))
				require.NoError(t, sendAll(t.Context(), c, capture.Requests))
				_, err := c.Export(t.Context())
				require.NoError(t, err)
				assert.Equal(t, captures.Money(capture.Lines()), captures.Money(captures.Posted(s.anycost.Rows())))
				assert.Equal(t, capture.Total, s.anycost.Total())
				assert.Empty(t, s.anycost.Violations())
				s.stop(c)
			})
		}
	}
}

// TestAKilledCollectorBillsMetricsOnce kills the collector while a client sends
// points one by one, and repeats them.
func TestAKilledCollectorBillsMetricsOnce(t *testing.T) {
	t.Parallel()
	for name, kills := range map[string]int{"1.106.2-v2": 30, "1.92.2-request-span": 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			capture := loadCapture(t, name)
			var points []pmetric.Metrics
			for _, md := range capture.Metrics {
				points = append(points, captures.CutMetrics(md)...)
			}
			s := newMetricsStage(t)
			ctx, finish := context.WithCancel(t.Context())
			service := &otelcol.Collector{Addresses: s.options.Addresses}
			var released atomic.Int64
			var clients sync.WaitGroup
			clients.Go(func() {
				for sent := 0; ctx.Err() == nil; {
					switch {
					case sent < int(released.Load()):
						if sendMetrics(ctx, service, points[sent]) == nil {
							sent++
						}
					case sent > 0:
						_ = service.SendMetrics(ctx, points[rand.N(sent)])
					}
				}
			})
			for i := range kills {
				released.Store(int64(len(points) * (i + 1) / kills))
				killOnce(t, s, i%2, nil)
			}
			finish()
			clients.Wait()

			c := s.start()
			require.NoError(t, sendMetrics(t.Context(), c, capture.Metrics...))
			_, err := c.Export(t.Context())
			require.NoError(t, err)
			assert.Equal(t, captures.Money(capture.Lines()), captures.Money(captures.Posted(s.anycost.Rows())))
			s.stop(c)
		})
	}
}

// TestPipelinesThatCannotWorkSaySo at the start.
func TestPipelinesThatCannotWorkSaySo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, pipelines, want string }{
		"both":        {"''", "{traces: P, metrics: P}", "set source: traces or source: metrics"},
		"the other":   {"metrics", "{traces: P}", "source: is metrics, but the exporter is in no metrics pipeline"},
		"neither":     {"logs", "{traces: P}", `source: "logs" is neither traces nor metrics`},
		"logs":        {"''", "{logs: P}", `exporter for data type "logs": telemetry type is not supported`},
		"logs beside": {"''", "{logs: P, traces: P}", `exporter for data type "logs": telemetry type is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(otelcoltest.Log)
			pipelines := strings.ReplaceAll(c.pipelines, "P", "{receivers: [otlp], exporters: [cloudzero]}")
			collector, err := otelcol.Start(otelcol.Options{Binary: binary(t), Log: log, Config: "{receivers: {otlp: {protocols: " +
				"{grpc: {endpoint: 'localhost:0'}}}}, exporters: {cloudzero: {dry_run: true, source: " + c.source + "}}, " +
				"service: {telemetry: {metrics: {level: none}}, pipelines: " + pipelines + "}}"})
			require.NoError(t, err)
			t.Cleanup(collector.Kill)
			select {
			case <-collector.Done():
			case <-time.After(time.Minute):
				t.Fatal("it started")
			}
			assert.Contains(t, log.String(), c.want)
		})
	}
}
