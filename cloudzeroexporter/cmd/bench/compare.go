package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

const (
	// warmUp is the part of a run that goes before what is measured.
	warmUp = 0.1
	// moderateRate is the number of requests a second at which latencies are
	// those of requests, and not of a queue before a busy processor.
	moderateRate = 100
	moderateTime = 2 * time.Second
)

// taken is what one collector took for its load.
type taken struct {
	cpuPerSpan  time.Duration
	spansPerSec float64
	p50, p99    time.Duration
	moderate    []time.Duration
	memory      memory
}

// compare sends the same load to one collector after the other, in turn.
func (o *options) compare(ctx context.Context) (section, error) {
	s := section{
		title: "The whole collector",
		about: fmt.Sprintf(`%d spans of recorded LiteLLM traffic in requests of %d from %d senders, %d rows, to three collectors in turn, %d times; medians.
The queue gets a fifth of them.
CPU is that of the collector's process alone, and its ratio is the median of each turn's ratio to nop. *Queue* is OTLP behind a file-backed
sending_queue, the Collector's own way to be durable. Saturated: senders do not pause. Moderate: %d requests a second.
Each time, what cloudzero counted and posted was equal to what was sent, to the last digit.`,
			o.calls, o.load.Spans, o.load.Senders, o.load.Teams*o.load.Users*o.load.Models, o.repetitions, moderateRate),
		head: []string{"Dialect", "Exporter", "CPU a span", "Ratio to nop", "Spans a second", "p50 saturated", "p99 saturated", "p50 moderate", "p99 moderate", "Peak RSS"},
	}
	for _, d := range o.dialects {
		kinds := []kind{nop, cloudzero, queue}
		turns := make(map[kind][]taken)
		for range o.repetitions {
			for _, k := range kinds {
				t, err := o.measure(ctx, d, k)
				if err != nil {
					return s, fmt.Errorf("%s to %s: %w", d.name, k, err)
				}
				o.progress("%s to %s: %.2f µs a span", d.name, k, float64(t.cpuPerSpan)/1e3)
				turns[k] = append(turns[k], t)
			}
		}
		for _, k := range kinds {
			compared(&s, d, k, turns[k], turns[nop])
		}
	}
	return s, nil
}

// compared adds what one collector took, beside what nop took in the same turns.
func compared(s *section, d dialect, k kind, turns, nops []taken) {
	of := func(value func(taken) float64) float64 {
		var all []float64
		for _, t := range turns {
			all = append(all, value(t))
		}
		return median(all)
	}
	var ratios []float64
	var moderate load.Run
	for i, t := range turns {
		ratios = append(ratios, float64(t.cpuPerSpan)/float64(nops[i].cpuPerSpan))
		moderate.Latencies = append(moderate.Latencies, t.moderate...)
	}
	slices.Sort(moderate.Latencies)
	ratio := median(ratios)
	s.row(d.name, map[kind]string{nop: "nop", cloudzero: "**cloudzero**", queue: "queue"}[k],
		fmt.Sprintf("%.2f µs", of(func(t taken) float64 { return float64(t.cpuPerSpan) })/1e3),
		fmt.Sprintf("%.2f", ratio),
		fmt.Sprintf("%.0f", of(func(t taken) float64 { return t.spansPerSec })),
		milliseconds(time.Duration(of(func(t taken) float64 { return float64(t.p50) }))),
		milliseconds(time.Duration(of(func(t taken) float64 { return float64(t.p99) }))),
		milliseconds(moderate.Percentile(50)), milliseconds(moderate.Percentile(99)),
		megabytes(uint64(of(func(t taken) float64 { return float64(t.memory.peak) }))))
	if k == cloudzero {
		const limit = 1.10
		s.aim(ratio <= limit, "CPU of OTLP/gRPC → cloudzero with file_storage against → nop, "+d.name, "≤ 1.10", "%.2f", ratio)
	}
}

// measure sends a load to one collector, and checks what it made of it.
func (o *options) measure(ctx context.Context, d dialect, k kind) (t taken, err error) {
	s, err := o.start(ctx, k, "")
	if err != nil {
		return t, err
	}
	defer s.end()
	g, err := o.generator(s, d, o.load)
	if err != nil {
		return t, err
	}
	defer func() { _ = g.Close() }()
	requests := max(1, o.calls/int64(o.load.Spans))
	if k == queue { // it takes several times as long for each
		requests = max(1, requests/5)
	}
	if _, err := g.Run(ctx, max(1, int64(float64(requests)*warmUp))); err != nil {
		return t, err
	}
	run, cpu, err := s.measured(ctx, g, requests)
	if err != nil {
		return t, err
	}
	t.cpuPerSpan = cpu / time.Duration(run.Spans)
	t.spansPerSec = float64(run.Spans) / run.Elapsed.Seconds()
	t.p50, t.p99 = run.Percentile(50), run.Percentile(99)
	if t.memory, err = memoryOf(s.PID()); err != nil {
		return t, err
	}
	g.Pace(moderateRate)
	slow, err := g.Run(ctx, int64(moderateRate*moderateTime.Seconds()))
	if err != nil {
		return t, err
	}
	t.moderate = slow.Latencies
	return t, check(ctx, s, g)
}

// measured runs the load and says what CPU time the collector took for it,
// until it was through with it.
func (s *stage) measured(ctx context.Context, g *load.Generator, requests int64) (run load.Run, cpu time.Duration, err error) {
	before, err := cpuOf(s.PID())
	if err != nil {
		return run, 0, err
	}
	if run, err = g.Run(ctx, requests); err != nil {
		return run, 0, err
	}
	if err := ctx.Err(); err != nil {
		return run, 0, err
	}
	if s.kind == queue {
		if err := s.sink.wait(ctx, g.Sent().Requests); err != nil {
			return run, 0, err
		}
	}
	after, err := cpuOf(s.PID())
	return run, after - before, err
}
