package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// setupName is the name of the set-up's part of the storage.
const setupName = "setup"

// shortToken is a token that can be guessed from what it has sealed.
const shortToken = 16

// setupStore is the set-up and the storage that keeps it.
type setupStore struct {
	client  storage.Client
	closing sync.Once // of the client
	token   string
	// fixed says that the configuration has credentials.
	fixed bool

	change chan struct{} // capacity 1; full while the one change is made that may be at a time
	record setup.Record  // as it is in the storage; the change's own

	mu     sync.Mutex         // guards everything below
	closed bool               // no change begins any more
	giveUp context.CancelFunc // of the change that is under way; nil when none is
}

func (e *cloudzeroExporter) openSetup(ctx context.Context) (*setupStore, error) {
	client, err := e.openStorage(ctx, setupName)
	if err != nil {
		return nil, err
	}
	s := &setupStore{client: client, change: make(chan struct{}, 1), token: e.token, fixed: e.cfg.APIKey != ""}
	if s.record, err = setup.Load(ctx, client); err != nil {
		return nil, errors.Join(fmt.Errorf("set-up in the storage: %w", err), client.Close(ctx))
	}
	return s, nil
}

// begin returns the credentials to begin with, the record that says which books
// are theirs, and why credentials that were set up cannot be used.
func (s *setupStore) begin(configured setup.Credentials) (c setup.Credentials, next setup.Record, problem, err error) {
	c = configured
	if !s.fixed {
		c, _, problem = s.record.Unseal(s.token)
	}
	if problem != nil && !errors.Is(problem, setup.ErrSealed) {
		return c, next, nil, problem
	}
	if c.ConnectionID == "" {
		return c, s.record.Without(), problem, nil
	}
	return c, s.record.With(c.ConnectionID, false), problem, nil
}

// keep saves the record if it says something new.
func (s *setupStore) keep(ctx context.Context, next setup.Record) error {
	if !next.Equal(s.record) {
		if err := next.Save(ctx, s.client); err != nil {
			return fmt.Errorf("set-up in the storage: %w", err)
		}
	}
	s.record = next
	return nil
}

// greet says at start that nothing is posted, if that is so.
func (s *setupStore) greet(c setup.Credentials, log *zap.Logger) {
	switch _, _, err := s.record.Unseal(s.token); {
	case s.fixed:
		return
	case err != nil:
		log.Error("Nothing is posted; what comes is kept and waits", zap.Error(err))
	case c.ConnectionID == "":
		log.Warn("Nothing is posted, because no connection is set up; what comes is kept and waits. "+
			"Set it up on the console, or set CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID", zap.String("books", s.record.Books))
	default:
		log.Info("The connection is the one that was set up on the console", zap.String("connection_id", c.ConnectionID))
	}
	if len(s.token) < shortToken {
		log.Warn("console::token is short; what is set up on the console is encrypted with it, so use 16 random characters or more")
	}
}

// close lets no change begin, and ends the one that is under way.
func (s *setupStore) close() {
	s.mu.Lock()
	s.closed = true
	if s.giveUp != nil {
		s.giveUp()
	}
	s.mu.Unlock()
	s.change <- struct{}{} // waits for its end
	<-s.change
}

// shut closes the storage, once.
func (s *setupStore) shut(ctx context.Context) (err error) {
	s.closing.Do(func() { err = s.client.Close(ctx) })
	return err
}

// enter begins a change, one at a time. It does not end with the request that
// asks for it, but with the exporter.
func (s *setupStore) enter(ctx context.Context) (changing context.Context, leave func(), err error) {
	s.change <- struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.change
		return nil, nil, shipper.ErrStopped
	}
	changing, s.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	return changing, func() {
		s.mu.Lock()
		s.giveUp()
		s.giveUp = nil
		s.mu.Unlock()
		<-s.change
	}, nil
}

// SetUp makes the exporter post to a connection from now on, and after a restart.
// It returns what now waits for the connection before, which is posted when that
// is set up again. Its errors are [console.ErrConfigured], [shipper.ErrDryRun],
// [shipper.ErrStopped], [*console.BadSettingError], and those of the storage.
func (e *cloudzeroExporter) SetUp(ctx context.Context, c setup.Credentials) (left billing.Amount, err error) {
	if err := checkCredentials(c); err != nil {
		return left, err
	}
	return e.reconnect(ctx, c, func(r setup.Record, free bool) (setup.Record, error) {
		return r.With(c.ConnectionID, free).Seal(e.setup.token, c)
	})
}

// Forget takes back what [cloudzeroExporter.SetUp] did: nothing is posted any
// more. The books stay what they are.
func (e *cloudzeroExporter) Forget(ctx context.Context) error {
	_, err := e.reconnect(ctx, setup.Credentials{}, func(r setup.Record, _ bool) (setup.Record, error) {
		r.Sealed = nil
		return r, nil
	})
	return err
}

// changeable says why the set-up cannot be changed here; nil when it can.
func (e *cloudzeroExporter) changeable() error {
	switch {
	case e.cfg.DryRun:
		return shipper.ErrDryRun
	case e.setup.fixed:
		return console.ErrConfigured
	case e.setup.token == "":
		return console.ErrNoToken
	default:
		return nil
	}
}

// reconnect changes the record, and posts to another connection, or none. Until
// the record is saved, everything can be taken back.
func (e *cloudzeroExporter) reconnect(ctx context.Context, to setup.Credentials, change func(_ setup.Record, free bool) (setup.Record, error)) (left billing.Amount, err error) {
	if err := e.changeable(); err != nil {
		return left, err
	}
	ctx, leave, err := e.setup.enter(ctx)
	if err != nil {
		return left, err
	}
	defer leave()
	old := e.connection // nobody else changes it
	// Nothing may be posted between the decision whose books these are and its
	// being in effect.
	if err := old.shipper.Retire(ctx); err != nil {
		return left, shipper.ErrStopped
	}
	next, record, err := e.prepare(ctx, old, to, change)
	if err != nil {
		// As before. It cannot fail: it has been made with these credentials once.
		old.shipper, _ = e.newShipper(old.books, old.credentials)
		e.use(old)
		return left, err
	}
	moved := record.Books != e.setup.record.Books
	e.setup.record = record
	e.use(next)
	if moved {
		old.users.Wait() // for what was begun before
		waiting, held := unsent(old.shipper)
		left = waiting.Add(held)
		sayWhatWaits(old.shipper, e.set.Logger)
		if err := old.closeBooks(ctx); err != nil {
			e.set.Logger.Error("The books of the connection before did not close in order; what they acknowledged is in the storage", zap.Error(err))
		}
	}
	if to.ConnectionID == "" {
		e.set.Logger.Warn("The connection was taken away on the console; nothing is posted, and what comes is kept and waits", zap.String("books", record.Books))
	} else {
		e.set.Logger.Info("The connection was set up on the console", zap.String("connection_id", to.ConnectionID), zap.String("books", record.Books))
	}
	return left, nil
}

// prepare makes the connection that is to be used next, and saves the record.
func (e *cloudzeroExporter) prepare(ctx context.Context, old connection, to setup.Credentials,
	change func(_ setup.Record, free bool) (setup.Record, error),
) (next connection, record setup.Record, err error) {
	if record, err = change(e.setup.record, free(ctx, old.books)); err != nil {
		return next, record, err
	}
	if record.Books == e.setup.record.Books && record.Owner() != e.setup.record.Owner() {
		if err = old.books.InheritAgain(ctx); err != nil {
			return next, record, err
		}
	}
	next = old
	next.credentials, next.problem = to, nil
	if record.Books != e.setup.record.Books {
		if next.storage, err = e.openStorage(ctx, record.Books); err != nil {
			return next, record, err
		}
		next.users = new(sync.WaitGroup)
		if next.books, err = e.openBooks(ctx, record.Books, next.storage, true); err != nil {
			return next, record, errors.Join(err, next.storage.Close(ctx))
		}
	}
	if next.shipper, err = e.newShipper(next.books, to); err == nil {
		err = record.Save(ctx, e.setup.client)
	}
	if err != nil && next.books != old.books {
		err = errors.Join(err, next.closeBooks(ctx))
	}
	next.others = others(record)
	return next, record, err
}

// use puts the connection in the place of the one before, for the next call that
// comes, and begins to post.
func (e *cloudzeroExporter) use(c connection) {
	c.view = e.viewOf(c)
	e.mu.Lock()
	e.connection = c
	e.mu.Unlock()
	c.shipper.Start()
}

// free says whether nothing of the books can have reached a connection, nor
// anything of a connection the books.
func free(ctx context.Context, books *ledger.Ledger) bool {
	for _, m := range books.Balance().Months {
		if m.Rows > 0 || !m.Posted.IsZero() {
			return false
		}
	}
	for _, h := range books.Hours() {
		p := h.Posted
		if p.Revision > 0 || p.At > 0 || p.Doubt != 0 || p.BaseRows > 0 {
			return false
		}
		if p.Origin != ledger.Added {
			continue
		}
		if a, err := books.Addition(ctx, h.Hour); err != nil || a.Done.Rows > 0 {
			return false
		}
	}
	return true
}

// others are the connections whose books are kept beside those in use.
func others(r setup.Record) (connections []string) {
	for connection, books := range r.Owners {
		if books != r.Books {
			connections = append(connections, connection)
		}
	}
	slices.Sort(connections)
	return connections
}

// checkCredentials says which field nobody could post with.
func checkCredentials(c setup.Credentials) error {
	for _, field := range []struct {
		name string
		err  error
	}{
		{"api_key", validateAPIKey(c.APIKey)},
		{"connection_id", validateConnectionID(c.ConnectionID)},
		{"timezone", validateZone(c.Timezone)},
	} {
		if field.err != nil {
			return &console.BadSettingError{Field: field.name, Err: field.err}
		}
	}
	return nil
}
