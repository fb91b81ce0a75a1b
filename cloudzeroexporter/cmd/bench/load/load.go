package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// Generator sends a load. Its methods are not for concurrent use; the goroutines
// of a run end with it.
type Generator struct {
	cfg     Config
	begin   time.Time // start of the first call
	senders []*sender
	sent    uint64 // requests of all runs before
}

// sender is one client. Each has requests of its own.
type sender struct {
	client   client
	requests []*request
	at       int // index of the next request

	sum       Sum
	costs     map[string]int64 // calls by their cost
	rows      []bool           // those that got a call
	latencies []time.Duration
}

// minVariety is how many different spans a sender has at least.
const minVariety = 100

// New prepares the load for a collector that listens on target.
func New(cfg Config, target string) (*Generator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	recorded, err := read(cfg.Capture)
	if err != nil {
		return nil, fmt.Errorf("recorded traffic: %w", err)
	}
	g := &Generator{
		cfg: cfg,
		// The last full hour: closed, and far from any retention's end.
		begin: time.Now().UTC().Truncate(time.Hour).Add(-time.Hour),
	}
	for range cfg.Senders {
		c, err := newClient(target, cfg.HTTP)
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		s := &sender{client: c, costs: make(map[string]int64), rows: make([]bool, cfg.rows())}
		g.senders = append(g.senders, s)
		for have := 0; have < max(minVariety, cfg.Spans); have += cfg.Spans {
			r, err := recorded.request(have, cfg)
			if err != nil {
				return nil, errors.Join(err, g.Close())
			}
			s.requests = append(s.requests, r)
		}
	}
	return g, nil
}

// recorded are a capture's spans, by whether they are calls that cost money.
type recorded struct {
	calls  []captures.Call
	others []ptrace.Span
}

func read(folder string) (r recorded, err error) {
	capture, err := captures.Load(folder)
	if err != nil {
		return r, err
	}
	r.calls, r.others, err = capture.Calls()
	return r, err
}

// request takes the spans from the first-th on, round and round.
func (r *recorded) request(first int, cfg Config) (*request, error) {
	spans, calls := make([]ptrace.Span, cfg.Spans), make([]*captures.Call, cfg.Spans)
	for i := range spans {
		n := first + i
		// The others are spread evenly between the calls.
		othersBefore := int(float64(n) * cfg.Others)
		if int(float64(n+1)*cfg.Others) > othersBefore {
			spans[i] = r.others[othersBefore%len(r.others)]
			continue
		}
		c := &r.calls[(n-othersBefore)%len(r.calls)]
		spans[i], calls[i] = c.Span, c
	}
	return encode(spans, calls)
}

// Close closes the connections.
func (g *Generator) Close() error {
	errs := make([]error, len(g.senders))
	for i, s := range g.senders {
		errs[i] = s.client.close()
	}
	return errors.Join(errs...)
}

// Run is what one run measured.
type Run struct {
	Requests, Spans int64
	Elapsed         time.Duration
	// Latencies are those of all requests, shortest first.
	Latencies []time.Duration
}

// Pace sets the rate of the next runs, see [Config].Rate.
func (g *Generator) Pace(requestsPerSecond float64) { g.cfg.Rate = requestsPerSecond }

// Percentile is the latency that the share of the requests, in percent, did not
// exceed.
func (r Run) Percentile(percent float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	return r.Latencies[min(len(r.Latencies)-1, int(float64(len(r.Latencies))*percent/100))]
}

// Run sends requests until there were so many, or until ctx ends; whichever is
// first ends it without an error. A request that the collector refuses ends it
// with one.
func (g *Generator) Run(ctx context.Context, requests int64) (Run, error) {
	before := g.Sent()
	var (
		next    atomic.Int64
		clients sync.WaitGroup
		errs    = make([]error, len(g.senders))
		begin   = time.Now()
	)
	sending, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is on its way is waited for
	defer stop()
	for i, s := range g.senders {
		s.latencies = s.latencies[:0]
		clients.Go(func() {
			for ctx.Err() == nil && sending.Err() == nil {
				n := next.Add(1) - 1
				if n >= requests || !g.pace(ctx, begin, n) {
					return
				}
				err := g.send(sending, s, g.sent+uint64(n)) //nolint:gosec // not negative
				if err != nil {
					if sending.Err() == nil { // not because another has failed
						errs[i] = err
					}
					stop()
					return
				}
			}
		})
	}
	clients.Wait()
	g.sent += uint64(next.Load()) //nolint:gosec // not negative
	after := g.Sent()
	run := Run{Requests: after.Requests - before.Requests, Spans: after.Spans - before.Spans, Elapsed: time.Since(begin)}
	for _, s := range g.senders {
		run.Latencies = append(run.Latencies, s.latencies...)
	}
	slices.Sort(run.Latencies)
	return run, errors.Join(errs...)
}

// pace waits until the n-th request is due, and says whether it is to be sent.
func (g *Generator) pace(ctx context.Context, begin time.Time, n int64) bool {
	if g.cfg.Rate <= 0 {
		return true
	}
	due := begin.Add(time.Duration(float64(n) / g.cfg.Rate * float64(time.Second)))
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

// send sends the n-th request of all.
func (g *Generator) send(ctx context.Context, s *sender, n uint64) error {
	r := s.requests[s.at]
	s.at = (s.at + 1) % len(s.requests)
	for i := range r.places {
		s.stampOrRepeat(g, r, i, n)
	}
	begin := time.Now()
	if err := s.client.send(ctx, r.body); err != nil {
		return fmt.Errorf("a request with %d spans: %w", len(r.places), err)
	}
	s.latencies = append(s.latencies, time.Since(begin))
	s.sum.Requests++
	s.sum.Spans += int64(len(r.places))
	return nil
}

// stampOrRepeat makes the i-th span of a request a new one. A duplicate is one
// that is left as it was sent before.
func (s *sender) stampOrRepeat(g *Generator, r *request, i int, n uint64) {
	p := &r.places[i]
	if p.isCall && p.stamped {
		if p.again += g.cfg.Duplicates; p.again >= 1 {
			p.again--
			s.sum.Duplicates++
			return
		}
	}
	number := n*uint64(len(r.places)) + uint64(i) //nolint:gosec // not negative
	row := g.row(number)
	r.stamp(i, number, g.begin, g.cfg.numbers(row))
	if !p.isCall {
		s.sum.Ignored++
		return
	}
	s.sum.Billed++
	s.costs[p.cost]++
	s.rows[row] = true
}

// row spreads calls evenly over all rows.
func (g *Generator) row(n uint64) uint64 {
	// The finalizer of MurmurHash3 leaves no pattern of the request's.
	n ^= n >> 33
	n *= 0xff51afd7ed558ccd
	n ^= n >> 33
	n *= 0xc4ceb9fe1a85ec53
	n ^= n >> 33
	return n % uint64(g.cfg.rows()) //nolint:gosec // not negative
}
