package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// newExporter starts the exporter in this process, as a dry run: with its books
// in the folder, or in memory if that is "". Stop ends all of it.
func newExporter(ctx context.Context, folder string) (e exporter.Traces, stop func(context.Context) error, err error) {
	factory := cloudzeroexporter.NewFactory()
	cfg, ok := factory.CreateDefaultConfig().(*cloudzeroexporter.Config)
	if !ok {
		return nil, nil, errors.New("cloudzero has another configuration than its own")
	}
	cfg.DryRun = true
	h := &host{}
	stopStorage := func(context.Context) error { return nil }
	if folder != "" {
		ext, withStorage, err := newStorage(ctx, folder)
		if err != nil {
			return nil, nil, err
		}
		h, stopStorage, cfg.Storage = withStorage, ext.Shutdown, &storageID
	}
	set := exportertest.NewNopSettings(factory.Type())
	set.ID = component.NewID(factory.Type())
	if e, err = factory.CreateTraces(ctx, set, cfg); err == nil {
		err = e.Start(ctx, h)
	}
	if err != nil {
		return nil, nil, errors.Join(err, stopStorage(ctx))
	}
	return e, func(ctx context.Context) error { return errors.Join(e.Shutdown(ctx), stopStorage(ctx)) }, nil
}

// consumers call Consume from several goroutines at once, with new calls only.
type consumers struct {
	next      consumer.Traces
	batches   []*captures.Batch
	latencies [][]time.Duration // of each consumer
	counter   atomic.Uint64
	before    int64   // requests of earlier runs
	renewing  float64 // CPU time that making a call new takes, in nanoseconds
}

// consumed is what one run took.
type consumed struct {
	cpuPerSpan float64 // nanoseconds of the whole process, without making calls new
	latencies  []time.Duration
}

func newConsumers(next consumer.Traces, folder string, count, spans int) (*consumers, error) {
	capture, err := captures.Load(folder)
	if err != nil {
		return nil, err
	}
	c := &consumers{next: next, latencies: make([][]time.Duration, count)}
	for range count {
		batch, err := capture.Batch(captures.BatchConfig{Spans: spans})
		if err != nil {
			return nil, err
		}
		c.batches = append(c.batches, batch)
	}
	const times = 2000
	cpu, err := cpuDuring(func() error {
		for range times {
			c.batches[0].Renew(&c.counter)
		}
		return nil
	})
	c.renewing = float64(cpu) / float64(times*spans)
	return c, err
}

// run makes so many requests.
func (c *consumers) run(ctx context.Context, requests int) (consumed, error) {
	cpu, err := cpuDuring(func() error {
		var sent atomic.Int64
		errs := make([]error, len(c.batches))
		var running sync.WaitGroup
		for i, batch := range c.batches {
			c.latencies[i] = c.latencies[i][:0]
			running.Go(func() {
				for errs[i] == nil {
					n := sent.Add(1)
					if n > int64(requests) {
						return
					}
					batch.Begin(captures.HourOf((c.before + n) * int64(batch.Traces.SpanCount())))
					batch.Renew(&c.counter)
					begin := time.Now()
					errs[i] = c.next.ConsumeTraces(ctx, batch.Traces)
					c.latencies[i] = append(c.latencies[i], time.Since(begin))
				}
			})
		}
		running.Wait()
		return errors.Join(errs...)
	})
	c.before += int64(requests)
	spans := float64(requests * c.batches[0].Traces.SpanCount())
	return consumed{float64(cpu)/spans - c.renewing, slices.Sorted(slices.Values(slices.Concat(c.latencies...)))}, err
}

// cpuDuring is the CPU time that this process uses while it does something.
func cpuDuring(do func() error) (time.Duration, error) {
	before, err := cpuOf(os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpuOf(os.Getpid())
	return after - before, err
}
