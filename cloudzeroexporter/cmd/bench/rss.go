package main

import (
	"context"
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

// quietTime is how long a collector is left alone before its memory is read.
const quietTime = 5 * time.Second

// memory sends a busy hour and looks at what memory it takes.
func (o *options) memory(ctx context.Context) (section, error) {
	hour := load.Config{Spans: 100, Senders: 8, Teams: 20, Users: 100, Models: 5}
	const calls = 1_000_000
	s := section{
		title: "Memory",
		about: fmt.Sprintf(`A quiet collector, %s after its start; and collectors that were sent %d calls of one hour over %d rows.
Memory is the resident set of the whole process. The peak includes what the garbage collector had not yet given back, and memory-mapped
pages of file_storage that the kernel may take back.`, quietTime, calls, hour.Teams*hour.Users*hour.Models),
		head: []string{"Dialect", "Exporter", "Calls", "RSS quiet before", "RSS after", "of it mapped files", "RSS peak", "Storage"},
	}
	const mega = 1_000_000
	for _, d := range o.dialects {
		var idle memory
		var peak [2]memory
		for i, k := range []kind{nop, cloudzero} {
			quiet, busy, stored, err := o.busyHour(ctx, d, k, hour, calls)
			if err != nil {
				return s, fmt.Errorf("%s to %s: %w", d.name, k, err)
			}
			idle, peak[i] = quiet, busy
			s.row(d.name, string(k), whole(calls), megabytes(quiet.now), megabytes(busy.now), megabytes(busy.mapped), megabytes(busy.peak), megabytes(stored))
		}
		over := int64(peak[1].peak) - int64(peak[0].peak) //nolint:gosec // bytes of memory
		s.aim(over <= 150*mega, "1,000,000 calls in an hour over 10,000 rows, "+d.name, "≤ 150 MB over nop", "%d MB over nop, at the peak", over/mega)
		s.aim(idle.now <= 60*mega, "A quiet collector, "+d.name, "≤ 60 MB in all", "%s", megabytes(idle.now))
	}
	return s, nil
}

func (o *options) busyHour(ctx context.Context, d dialect, k kind, hour load.Config, calls int64) (quiet, busy memory, stored uint64, err error) {
	s, err := o.start(ctx, k, "")
	if err != nil {
		return quiet, busy, 0, err
	}
	defer s.end()
	if err := pause(ctx, quietTime); err != nil {
		return quiet, busy, 0, err
	}
	if quiet, err = memoryOf(s.PID()); err != nil {
		return quiet, busy, 0, err
	}
	g, err := o.generator(s, d, hour)
	if err != nil {
		return quiet, busy, 0, err
	}
	defer func() { _ = g.Close() }()
	if _, err := g.Run(ctx, calls/int64(hour.Spans)); err != nil {
		return quiet, busy, 0, err
	}
	if err := pause(ctx, quietTime); err != nil {
		return quiet, busy, 0, err
	}
	if busy, err = memoryOf(s.PID()); err != nil {
		return quiet, busy, 0, err
	}
	if stored, err = sizeOf(s.storage); err != nil {
		return quiet, busy, 0, err
	}
	return quiet, busy, stored, check(ctx, s, g)
}

// pause waits, and returns an error when ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
