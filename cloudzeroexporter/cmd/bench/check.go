package main

import (
	"context"
	"fmt"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

// check holds what the collector made of the load against what was sent.
func check(ctx context.Context, s *stage, g *load.Generator) error {
	sent := g.Sent()
	if s.kind != cloudzero {
		accepted, err := s.metric(ctx, "otelcol_receiver_accepted_spans", "")
		if err == nil && int64(accepted) != sent.Spans {
			err = fmt.Errorf("the collector accepted %d spans of %d", int64(accepted), sent.Spans)
		}
		return err
	}
	if err := s.checkOutcomes(ctx, map[string]int64{"billed": sent.Billed, "duplicate": sent.Duplicates, "ignored": sent.Ignored}); err != nil {
		return err
	}
	if _, err := s.Export(ctx); err != nil {
		return err
	}
	if got, want := s.anycost.Total(), sent.Dollars(); got != want {
		return fmt.Errorf("AnyCost holds %s dollars, but %s were sent", got, want)
	}
	if got, want := len(s.anycost.Rows()), sent.Rows; got != want {
		return fmt.Errorf("AnyCost holds %d rows, but calls of %d were sent", got, want)
	}
	if v := s.anycost.Violations(); len(v) > 0 {
		return fmt.Errorf("AnyCost refused something: %s", v[0])
	}
	return nil
}

// smoke sends a little of everything and checks what was made of it.
func (o *options) smoke(ctx context.Context) (section, error) {
	s := section{
		title: "Smoke", about: "A little of everything, and what became of it.",
		head: []string{"Dialect", "Over", "Spans", "Billed", "Duplicates", "No calls", "Billed, in dollars"},
	}
	o.load.Duplicates, o.load.Others = 0.2, 0.3
	for _, d := range o.dialects {
		for _, over := range []string{"gRPC", "HTTP"} {
			o.load.HTTP = over == "HTTP"
			sum, err := o.smokeOnce(ctx, d)
			if err != nil {
				return s, fmt.Errorf("%s over %s: %w", d.name, over, err)
			}
			s.row(d.name, over, whole(sum.Spans), whole(sum.Billed), whole(sum.Duplicates), whole(sum.Ignored), sum.Dollars())
		}
	}
	return s, nil
}

func (o *options) smokeOnce(ctx context.Context, d dialect) (sum load.Sum, err error) {
	s, err := o.start(ctx, cloudzero, "")
	if err != nil {
		return sum, err
	}
	defer s.end()
	g, err := o.generator(s, d, o.load)
	if err != nil {
		return sum, err
	}
	defer func() { _ = g.Close() }()
	const requests = 200
	if _, err := g.Run(ctx, requests); err != nil {
		return sum, err
	}
	return g.Sent(), check(ctx, s, g)
}
