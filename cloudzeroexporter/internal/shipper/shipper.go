package shipper

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v7"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

const (
	firstRetry = 2 * time.Second
	// lastRetry bounds the wait between two attempts while AnyCost is away.
	lastRetry = 5 * time.Minute
	// lateEffect is how long after a lost answer its request may take effect.
	lateEffect = 15 * time.Minute
)

var (
	// ErrDryRun says that a dry run posts nothing.
	ErrDryRun = errors.New("this is a dry run (dry_run: true): nothing is posted")
	// ErrNoConnection says that nobody has said yet where to post.
	ErrNoConnection = errors.New("no connection is set up, so nothing is posted and everything waits: " +
		"give api_key and connection_id in the configuration, or set them up on the console")
	// ErrStopped says that the shipper is not running.
	ErrStopped = errors.New("the exporter is shutting down, or another connection is being set up")
)

// Options are what the shipper needs to know.
type Options struct {
	// Interval is the time between two rounds, Settle how long after its end
	// an hour becomes due.
	Interval, Settle time.Duration
	// Instance makes the rounds of different instances fall on different
	// minutes; the same instance keeps its own.
	Instance string
	Format   cbf.Format
	Limits   Limits
	// DryRun says that nothing is to be posted; without a client.
	DryRun bool
	// Verify says that what AnyCost holds is compared with what was posted.
	Verify bool
	// Differences is told how many hours a verification found to differ.
	Differences func(hours int)
	Logger      *zap.Logger
	// Posted is told of every request: its result and how long it took.
	Posted func(result string, took time.Duration)
	// Status is told how a round ended: nil when it did not have to stop.
	Status func(error)
}

// Shipper posts the books to AnyCost. See the package comment.
type Shipper struct {
	books   *ledger.Ledger
	client  *anycost.Client // nil in a dry run, and before a connection is set up
	opts    Options
	started time.Time

	cancel  context.CancelFunc
	done    chan struct{}
	tasks   chan task
	backoff *backoff.ExponentialBackOff // the goroutine's own
	// cannotValidate says that the key lacks the scope; the goroutine's own.
	cannotValidate bool
	cannotList     bool
	cannotRead     bool
	verified       time.Time
	// taken says what became of additions where the books could not record it.
	taken map[billing.Hour]bool

	mu        sync.Mutex // guards everything below
	export    *Progress  // of the last export, which may be running; nil before the first
	held      map[billing.Hour]HeldHour
	folded    map[billing.Hour]uint64 // revisions whose folding was logged
	others    map[billing.Month]int   // rows at AnyCost that are not of the books
	conflicts map[billing.Month]Conflict
	strangers map[billing.Hour]bool   // hours of others that an operator confirmed
	shown     map[billing.Hour]uint64 // revisions that a dry run has summed up
	lastPost  time.Time
	nextRound time.Time
	lastError error
}

// New returns a shipper for the books. Without a client it only says what it
// would post.
func New(books *ledger.Ledger, client *anycost.Client, opts Options) *Shipper {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = firstRetry, lastRetry
	return &Shipper{
		books: books, client: client, opts: opts,
		done:    make(chan struct{}),
		tasks:   make(chan task),
		backoff: b,
		held:    make(map[billing.Hour]HeldHour),
		folded:  make(map[billing.Hour]uint64),
		others:  make(map[billing.Month]int), conflicts: make(map[billing.Month]Conflict),
		verified: time.Now(), started: time.Now(), strangers: make(map[billing.Hour]bool),
		shown: make(map[billing.Hour]uint64), taken: make(map[billing.Hour]bool),
	}
}

// Start begins with a round at once, for what an earlier process left.
func (s *Shipper) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
}

// Shutdown ends the goroutine. A request that is under way is given up; its
// hours stay due.
func (s *Shipper) Shutdown(ctx context.Context) error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop posting: %w", ctx.Err())
	}
}

// Retire ends the goroutine like [Shipper.Shutdown], but not before what is under
// way has its answer.
func (s *Shipper) Retire(ctx context.Context) error {
	if s.cancel == nil {
		return nil
	}
	last := task{do: func(context.Context) { s.cancel() }, done: make(chan struct{})}
	select {
	case s.tasks <- last:
	case <-s.done:
	case <-ctx.Done():
	}
	return s.Shutdown(ctx)
}

func (s *Shipper) run(ctx context.Context) {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(s.scheduled(ctx))
		case t := <-s.tasks:
			t.do(ctx)
			close(t.done)
		}
	}
}

// scheduled makes a round and returns the time until the next.
func (s *Shipper) scheduled(ctx context.Context) time.Duration {
	var err error
	switch {
	case s.client != nil:
		_, err = s.round(ctx, Request{Verify: time.Since(s.verified) >= verifyEvery}, nil, s.due)
	case s.opts.DryRun:
		s.summarize("Dry run: this round would have posted")
	default:
		s.summarize("No connection is set up; this round would have posted")
		s.opts.Status(ErrNoConnection)
	}
	wait := s.pause(err, time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextRound = time.Now().Add(wait)
	return wait
}

// round posts the hours and keeps how it ended.
func (s *Shipper) round(ctx context.Context, q Request, p *Progress, hours func() []ledger.Summary) (Report, error) {
	r := round{Shipper: s, progress: p, report: Report{Posted: []PostedHour{}, Held: []HeldHour{}}}
	err := r.confirm(ctx, q.ConfirmMonths)
	if err == nil && q.Verify && s.opts.Verify && !s.cannotRead {
		if err = r.verify(ctx); err == nil {
			s.verified = time.Now()
		}
	}
	if err == nil {
		err = r.shipChosen(ctx, q, hours())
	}
	if ctx.Err() != nil {
		return r.report, ErrStopped
	}
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		return r.report, err // it says nothing of AnyCost
	}
	s.mu.Lock()
	s.lastError = err
	s.mu.Unlock()
	if err != nil {
		s.opts.Logger.Warn("Posting to AnyCost stopped; nothing is lost, and the hours stay due", zap.Error(err))
	}
	if len(r.report.Posted) > 0 {
		s.opts.Logger.Info("Posted to AnyCost", zap.Int("hours", len(r.report.Posted)),
			zap.Stringer("first", r.report.Posted[0].Hour), zap.Int("rows", r.report.rows()), zap.Stringer("cost", r.report.cost()))
	}
	s.opts.Status(errors.Join(err, s.conflict()))
	return r.report.sorted(), err
}

// shipChosen posts the hours as they were asked for.
func (r *round) shipChosen(ctx context.Context, q Request, hours []ledger.Summary) error {
	if err := r.check(q, hours); err != nil {
		return err
	}
	r.advance(r.progress, func(p *Progress) { p.Hours = len(hours) })
	if q.Operation == anycost.ReplaceDrop {
		return r.whole(ctx, hours)
	}
	r.adds = q.Operation == anycost.Sum
	return r.shipAll(ctx, hours)
}

// conflict is the months that nothing is posted into, as an error.
func (s *Shipper) conflict() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for month, c := range s.conflicts {
		errs = append(errs, fmt.Errorf("nothing is posted into %s: %s", month, c.Reason))
	}
	return errors.Join(errs...)
}

// pause is how long to wait after a round that ended so.
func (s *Shipper) pause(err error, now time.Time) time.Duration {
	var e *anycost.Error
	refused := errors.As(err, &e) && e.Class != anycost.Unavailable && e.Class != anycost.Lost
	if err == nil || refused {
		// Done, or nothing that a little patience cures.
		s.backoff.Reset()
		return untilRound(now, s.opts.Interval, s.opts.Instance)
	}
	wait := s.backoff.NextBackOff()
	if e != nil {
		wait = max(wait, e.RetryAfter)
	}
	return wait
}

// untilRound is the time to the next multiple of interval, moved by what the
// instance's name makes of it: not every collector posts at the full hour.
func untilRound(now time.Time, interval time.Duration, instance string) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(instance))
	offset := time.Duration(h.Sum64() % uint64(interval)) //nolint:gosec // positive, and below interval
	next := now.Add(-offset).Truncate(interval).Add(interval + offset)
	return next.Sub(now)
}

// due are the hours that a round posts: closed, settled, and not held as they
// are.
func (s *Shipper) due() []ledger.Summary {
	now := time.Now()
	return s.selected(func(h ledger.Summary) bool {
		held, ok := s.held[h.Hour]
		return s.dueLocked(h, now) && !(ok && held.revision == h.Revision)
	})
}

// unposted are the hours that an export posts.
func (s *Shipper) unposted() []ledger.Summary {
	return s.selected(func(h ledger.Summary) bool {
		_, held := s.held[h.Hour]
		return h.Unposted() || held || h.Posted.Held > 0
	})
}

func (s *Shipper) selected(choose func(ledger.Summary) bool) []ledger.Summary {
	hours := s.books.Hours()
	s.mu.Lock()
	defer s.mu.Unlock()
	var chosen []ledger.Summary
	for _, h := range hours {
		if choose(h) {
			chosen = append(chosen, h)
		}
	}
	return chosen
}

// summarize says what a round would have posted that has nobody to post to.
func (s *Shipper) summarize(message string) {
	now := time.Now()
	hours := s.selected(func(h ledger.Summary) bool { return s.dueLocked(h, now) && s.shown[h.Hour] != h.Revision })
	var (
		cost   billing.Amount
		rows   int
		tokens uint64
	)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range hours {
		cost, rows, tokens = cost.Add(h.Totals.Cost), rows+h.Rows, tokens+h.Totals.Tokens.Total()
		s.shown[h.Hour] = h.Revision
	}
	s.opts.Logger.Info(message,
		zap.Int("hours", len(hours)), zap.Int("rows", rows), zap.Stringer("cost", cost), zap.Uint64("tokens", tokens))
}

func (r Report) rows() (n int) {
	for _, p := range r.Posted {
		n += p.Rows
	}
	return n
}

func (r Report) cost() (sum billing.Amount) {
	for _, p := range r.Posted {
		sum = sum.Add(p.Cost)
	}
	return sum
}
