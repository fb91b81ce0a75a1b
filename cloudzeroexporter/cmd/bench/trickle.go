package main

import (
	"context"
	"fmt"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

// trickle sends requests of one span from more and more senders, and counts the
// commits.
func (o *options) trickle(ctx context.Context) (section, error) {
	s := section{
		title: "A trickle",
		about: `Requests of one span, from few and from many senders that do not pause. A commit is one write of file_storage, shared by all
requests that came while the last one was written.`,
		head: []string{"Dialect", "Senders", "Requests a second", "Commits a second", "Requests a commit", "CPU a request", "p50", "p99"},
	}
	for _, d := range o.dialects {
		for _, senders := range []int{1, 64, 512} {
			if err := o.trickleFrom(ctx, &s, d, senders); err != nil {
				return s, fmt.Errorf("%s from %d senders: %w", d.name, senders, err)
			}
		}
	}
	return s, nil
}

func (o *options) trickleFrom(ctx context.Context, s *section, d dialect, senders int) error {
	st, err := o.start(ctx, cloudzero, "")
	if err != nil {
		return err
	}
	defer st.end()
	g, err := o.generator(st, d, load.Config{Spans: 1, Senders: senders, Teams: 10, Users: 20, Models: 5})
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	if _, err := g.Run(ctx, int64(senders)); err != nil { // connects
		return err
	}
	const commits = "otelcol_exporter_cloudzero_commit_duration_count"
	before, err := st.metric(ctx, commits, "")
	if err != nil {
		return err
	}
	const requests = 20_000
	run, cpu, err := st.measured(ctx, g, requests)
	if err != nil {
		return err
	}
	after, err := st.metric(ctx, commits, "")
	if err != nil {
		return err
	}
	seconds := run.Elapsed.Seconds()
	s.row(d.name, whole(int64(senders)),
		fmt.Sprintf("%.0f", float64(run.Requests)/seconds),
		fmt.Sprintf("%.0f", (after-before)/seconds),
		fmt.Sprintf("%.1f", float64(run.Requests)/max(1, after-before)),
		fmt.Sprintf("%.0f µs", float64(cpu.Microseconds())/float64(run.Requests)),
		milliseconds(run.Percentile(50)), milliseconds(run.Percentile(99)))
	return check(ctx, st, g)
}
