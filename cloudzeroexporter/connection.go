package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// connection is where to post, and what is kept and runs for it: the books, and
// the shipper that posts them.
type connection struct {
	credentials setup.Credentials // without a key in a dry run, and before a connection is set up
	// problem is why credentials that were set up are not used; nil when they are.
	problem error
	// others are the connections whose books are kept beside these.
	others  []string
	storage storage.Client
	books   *ledger.Ledger
	users   *sync.WaitGroup // who is putting something into the books
	shipper *shipper.Shipper
	view    *exports // of these, for the console
}

// current are the books and the shipper of the connection that is set up.
func (e *cloudzeroExporter) current() (*ledger.Ledger, *shipper.Shipper) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.books, e.shipper
}

// hold returns the books of the connection that is set up, which are not closed
// before their user is done.
func (e *cloudzeroExporter) hold() (books *ledger.Ledger, users *sync.WaitGroup) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	e.users.Add(1)
	return e.books, e.users
}

// connect opens the books that the configuration, or the set-up, names.
func (e *cloudzeroExporter) connect(ctx context.Context) (err error) {
	e.credentials = e.configured()
	name, elsewhere := dryBooksName(e.credentials.ConnectionID), false
	var record setup.Record
	if e.setup != nil {
		if e.credentials, record, e.problem, err = e.setup.begin(e.credentials); err != nil {
			return err
		}
		if record, err = e.takeOver(ctx, record); err != nil {
			return err
		}
		name, elsewhere = record.Books, e.setup.record.Books != "" && e.setup.record.Books != record.Books
		e.others = others(record)
	}
	if e.storage, err = e.openStorage(ctx, name); err != nil {
		return err
	}
	if e.books, err = e.openBooks(ctx, name, e.storage, elsewhere); err != nil {
		return err
	}
	if e.setup != nil {
		if err = e.setup.keep(ctx, record); err != nil {
			return err
		}
	}
	e.users = new(sync.WaitGroup)
	if e.shipper, err = e.newShipper(e.books, e.credentials); err != nil {
		return err
	}
	e.view = e.viewOf(e.connection)
	return nil
}

// takeOver is the record with the books in use going on for another connection of
// the configuration, if that would begin new ones although these are free.
func (e *cloudzeroExporter) takeOver(ctx context.Context, next setup.Record) (setup.Record, error) {
	last := e.setup.record
	_, known := last.Owners[next.Owner()]
	if last.Books == "" || last.Books == next.Books || known {
		return next, nil
	}
	client, err := e.openStorage(ctx, last.Books)
	if err != nil {
		return next, err
	}
	books, err := e.openBooks(ctx, last.Books, client, false)
	if err != nil {
		return next, errors.Join(err, client.Close(ctx))
	}
	if free(ctx, books) {
		next = last.With(next.Owner(), true)
		err = books.InheritAgain(ctx)
	}
	return next, errors.Join(err, connection{books: books, storage: client}.closeBooks(ctx))
}

// configured are the credentials of the configuration.
func (e *cloudzeroExporter) configured() setup.Credentials {
	return setup.Credentials{APIKey: string(e.cfg.APIKey), ConnectionID: e.cfg.ConnectionID}
}

// dryBooksName is the name of a dry run's books.
func dryBooksName(connection string) string {
	if connection == "" {
		return "books"
	}
	return "books_" + connection
}

// archiveOf opens the slots of the archive of the books that have the name; nil
// without a storage. No books begin like a slot.
func (e *cloudzeroExporter) archiveOf(books string) func(context.Context, int) (storage.Client, error) {
	if e.cfg.Storage == nil {
		return nil
	}
	return func(ctx context.Context, slot int) (storage.Client, error) {
		return e.openStorage(ctx, fmt.Sprintf("archive_%d_%s", slot, books))
	}
}

// openBooks opens the books that have the name, in the storage. Elsewhere says that
// others were in use before.
func (e *cloudzeroExporter) openBooks(ctx context.Context, name string, client storage.Client, elsewhere bool) (*ledger.Ledger, error) {
	return ledger.Open(ctx, client, ledger.Options{
		Retention:    e.cfg.Retention,
		NeverPosted:  e.cfg.DryRun,
		Metrics:      e.source == sourceMetrics,
		SeriesLimit:  e.cfg.Limits.Series,
		Elsewhere:    elsewhere,
		BilledBefore: e.billedBefore,
		Archive:      e.archiveOf(name),
		ArchiveAfter: e.archiveAfter,
		Volatile:     e.cfg.Storage == nil,
		CommitEvery:  commitEvery,
		Logger:       e.set.Logger,
		Committed: func(took time.Duration, err error) {
			e.health.set("storage", err)
			e.telemetry.committed(took, err)
		},
	})
}

// clientOf is the way to the connection at AnyCost; nil without credentials.
func (e *cloudzeroExporter) clientOf(to setup.Credentials) (*anycost.Client, error) {
	if e.http == nil || to.ConnectionID == "" {
		return nil, nil //nolint:nilnil // there is none, and that is no mistake
	}
	agent := e.set.BuildInfo.Command + "/" + e.set.BuildInfo.Version
	return anycost.New(e.http, e.cfg.HTTP.Endpoint, to.ConnectionID, to.APIKey, agent)
}

// newShipper makes the shipper of the books. Without credentials it posts nothing.
func (e *cloudzeroExporter) newShipper(books *ledger.Ledger, to setup.Credentials) (*shipper.Shipper, error) {
	client, err := e.clientOf(to)
	if err != nil {
		return nil, err
	}
	return shipper.New(books, client, shipper.Options{
		Interval: e.cfg.Export.Interval,
		Settle:   e.cfg.Export.Settle,
		Instance: to.ConnectionID,
		Format:   e.format,
		Limits:   shipper.Limits{Bytes: e.cfg.Limits.MonthBytes, Rows: e.cfg.Limits.MonthRows},
		DryRun:   e.cfg.DryRun,
		Verify:   e.cfg.Verify,
		Differences: func(hours int) {
			e.telemetry.builder.ExporterCloudzeroDifferingHours.Add(context.Background(), int64(hours))
		},
		Logger: e.set.Logger,
		Posted: e.telemetry.posted,
		Status: func(err error) { e.health.set("anycost", err) },
	}), nil
}

// closeBooks writes what is left and lets go of the storage.
func (c connection) closeBooks(ctx context.Context) error {
	var errs []error
	if c.books != nil {
		errs = append(errs, c.books.Close(ctx))
	}
	if c.storage != nil {
		errs = append(errs, c.storage.Close(ctx))
	}
	return errors.Join(errs...)
}

// unsent is what AnyCost lacks of the shipper's books.
func unsent(s *shipper.Shipper) (waiting, held billing.Amount) {
	for _, m := range s.State(time.Now()).Months {
		waiting, held = waiting.Add(m.Waiting), held.Add(m.Held)
	}
	return waiting, held
}

// sayWhatWaits tells who stops posting that not all is posted yet.
func sayWhatWaits(s *shipper.Shipper, log *zap.Logger) {
	if waiting, held := unsent(s); !waiting.IsZero() || !held.IsZero() {
		log.Info("Not all is posted yet; it waits in the storage until this connection is set up again",
			zap.Stringer("waiting", waiting), zap.Stringer("held", held))
	}
}
