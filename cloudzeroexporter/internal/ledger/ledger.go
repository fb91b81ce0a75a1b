package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/series"
)

const (
	// maintainEvery is how often a failed commit is tried again without being
	// asked, and how often hours are checkpointed, expired and let out of memory.
	maintainEvery = 10 * time.Second
	// checkpointAfter is how long changes stay in the journal only.
	checkpointAfter = 5 * time.Minute
	// maxJournalBytes and maxJournalEntries bound what a start reads again.
	maxJournalBytes   = 8 << 20
	maxJournalEntries = 4096
	// idleAfter is how long an hour's contents stay in memory unused.
	idleAfter = 15 * time.Minute
	// maxUncommitted bounds the calls that memory has and the storage has not.
	maxUncommitted = 200_000
)

// ErrBehind says that the storage has not taken anything for so long that the
// books refuse more calls until it does.
var ErrBehind = errors.New("the storage is behind")

// Options are what the books need to know.
type Options struct {
	// Retention is how long an hour stays open for late data, from its end.
	Retention time.Duration
	// NeverPosted says that nothing will be posted, so that old hours may go
	// although AnyCost does not hold them.
	NeverPosted bool
	// Metrics says that metrics are what is billed, so that how far cumulative
	// series have come is kept; SeriesLimit is how many of them.
	Metrics     bool
	SeriesLimit int
	// BilledBefore, if set, says that what series counted before these books began
	// is billed by somebody else. It is asked once, when books begin.
	BilledBefore func(context.Context) bool
	// Elsewhere says that other books were in use since these were: what series
	// counted meanwhile is billed there, and not here.
	Elsewhere bool
	// Volatile says that the storage ends with the process. There is no journal
	// then, because nothing is gained by one: hours are written when they rest, to
	// take less memory.
	Volatile bool
	// CommitEvery is the least time between the beginnings of two commits, unless
	// many calls wait: those who come meanwhile share the next one.
	CommitEvery time.Duration
	// Archive, if set, opens further storage that old hours' identities go to: slots
	// with numbers from 0, each opened when it is needed, and closed again.
	Archive func(ctx context.Context, slot int) (storage.Client, error)
	// ArchiveAfter is how long after its end an hour's identities go there; 0 is
	// a day.
	ArchiveAfter time.Duration
	// Logger gets what happens to the storage, never what a single span does.
	Logger *zap.Logger
	// Committed, if set, is told of every write: how long it took, and its error.
	Committed func(time.Duration, error)
}

// Ledger is the books. See the package comment.
type Ledger struct {
	store   store
	archive archive
	opts    Options

	wake    chan struct{} // capacity 1: something waits for a commit
	due     chan struct{} // capacity 1: so much waits that it need not wait longer
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when the writing goroutine has ended
	closing sync.Once

	mu       sync.Mutex // guards everything below
	hours    map[billing.Hour]*hour
	tombs    tombs
	answers  answers
	gone     map[billing.Month]gone
	rejected cbf.Totals // of calls that came too late
	series   *series.Set
	skipped  billing.Amount // what series had counted before, since the start
	pending  pending
	writing  int     // calls in the commit that is being written
	next     *flight // what waits for the next commit; nil when nothing does
	flying   *flight // the commit that is being written; nil when none is
	closed   bool
	begun    time.Time // when these books began; set before anything else runs
	opened   time.Time // when this process opened them
	forgot   billing.Hour
	madeRoom time.Time

	// Below is the writing goroutine's own.
	flushed     time.Time // when the last commit began
	journal     uint64    // number of the next entry
	checkpoint  uint64    // number of the first entry that no checkpoint contains
	unsaved     int       // bytes of journal since the last checkpoint
	saved       time.Time // of the last checkpoint
	tried       time.Time // of the last attempt at one
	seriesHead  seriesHead
	moved       []movedChunks // since the last checkpoint
	archiveNext time.Time     // when it is tried again; zero when nothing failed
}

// Open reads the books from client, or begins new ones when it holds none. The
// client stays the caller's to close, after [Ledger.Close].
func Open(ctx context.Context, client storage.Client, opts Options) (*Ledger, error) {
	l, err := read(ctx, client, opts)
	if err != nil {
		return nil, fmt.Errorf("open the books: %w", err)
	}
	go l.write() //nolint:gosec // it outlives the start and ends with Close
	return l, nil
}

// read reads the books. Nothing of them changes yet.
func read(ctx context.Context, client storage.Client, opts Options) (*Ledger, error) {
	l := &Ledger{
		store:   store{client},
		archive: archive{open: opts.Archive},
		opts:    opts,
		wake:    make(chan struct{}, 1),
		due:     make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
		hours:   make(map[billing.Hour]*hour),
		tombs:   make(tombs),
		answers: newAnswers(),
		gone:    make(map[billing.Month]gone),
		series:  series.NewSet(opts.SeriesLimit),
	}
	if opts.Committed == nil {
		l.opts.Committed = func(time.Duration, error) {}
	}
	l.answers.volatile = opts.Volatile
	l.opts.ArchiveAfter = cmp.Or(opts.ArchiveAfter, archiveAfter)
	if err := l.recover(ctx); err != nil { // nothing else uses l yet
		return nil, err
	}
	if err := l.beginSeries(ctx); err != nil {
		return nil, err
	}
	l.saved = time.Now()
	l.opened = l.saved
	return l, nil
}

// Close writes what is left and ends the writing goroutine. It may be called
// more than once. When ctx ends first, what was acknowledged is safe, but the
// next start has a longer journal to read.
func (l *Ledger) Close(ctx context.Context) error {
	l.closing.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.stop)
	})
	select {
	case <-l.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the books: %w", ctx.Err())
	}
}
