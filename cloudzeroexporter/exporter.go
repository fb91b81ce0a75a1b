package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/leaks"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// cloudzeroExporter is the way of the data: spans, or points of metrics, become
// usage records, records are committed to the books, the shipper posts the books.
type cloudzeroExporter struct {
	cfg       *Config
	set       exporter.Settings
	layout    cbf.Layout
	format    cbf.Format
	reader    *usage.Reader
	metrics   *usage.MetricsReader
	telemetry *telemetry
	health    *health
	notices   notices
	unbilled  *metricsWatch // of metrics that are not billed
	batches   sync.Pool     // of *ledger.Batch

	// Below is what start makes and shutdown ends.
	source  source // the signal that is billed
	storage storage.Client
	books   *ledger.Ledger
	shipper *shipper.Shipper
	leaks   *leaks.Detector
	console *consoleServer
}

func newExporter(set exporter.Settings, cfg *Config) (*cloudzeroExporter, error) {
	layout, err := cbf.NewLayout(cfg.Rows.SplitBy)
	if err != nil {
		return nil, err
	}
	instrumentations, err := cfg.instrumentations()
	if err != nil {
		return nil, err
	}
	t, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	reading := usage.Config{Instrumentations: instrumentations, Attributes: layout.Attributes()}
	return &cloudzeroExporter{
		cfg:       cfg,
		set:       set,
		layout:    layout,
		format:    cbf.Format{TokenTags: cfg.Rows.TokenTags},
		reader:    usage.NewReader(reading),
		metrics:   usage.NewMetricsReader(reading),
		telemetry: t,
		health:    newHealth(),
		unbilled:  newMetricsWatch(usage.NewMetricsReader(reading), cfg.Limits.Series, time.Now()),
		batches:   sync.Pool{New: func() any { return new(ledger.Batch) }},
	}, nil
}

// pushTraces returns nil when the books have all of td.
func (e *cloudzeroExporter) pushTraces(ctx context.Context, td ptrace.Traces) error {
	if e.source == sourceMetrics {
		return e.ignoreTraces(ctx, td)
	}
	b := e.batches.Get().(*ledger.Batch)
	defer func() {
		b.Reset()
		e.batches.Put(b)
	}()
	watch := e.leaks.Watch()
	ignored := e.reader.Read(td, time.Now(), func(r *usage.Record) {
		b.Add(e.layout, r)
		watch.Call(r)
	}, watch.Server)
	watch.Done()
	b.Ignore(ignored)
	err := e.books.Commit(ctx, b)
	e.telemetry.count(ctx, b.Tally())
	return err
}

func (e *cloudzeroExporter) start(ctx context.Context, host component.Host) error {
	log := e.set.Logger
	client, err := e.newClient(ctx, host)
	if err != nil {
		return err
	}
	if e.storage, err = e.openStorage(ctx, host); err != nil {
		return err
	}
	e.books, err = ledger.Open(ctx, e.storage, ledger.Options{
		Retention:   e.cfg.Retention,
		NeverPosted: e.cfg.DryRun,
		Metrics:     e.source == sourceMetrics,
		SeriesLimit: e.cfg.Limits.Series,
		SkipEarlier: e.cfg.Metrics.Earlier == earlierSkip,
		CommitEvery: e.commitEvery(),
		Logger:      log,
		Committed: func(took time.Duration, err error) {
			e.health.set("storage", err)
			e.telemetry.committed(took, err)
		},
	})
	if err != nil {
		return err
	}
	e.shipper = shipper.New(e.books, client, shipper.Options{
		Interval: e.cfg.Export.Interval,
		Settle:   e.cfg.Export.Settle,
		Instance: e.cfg.ConnectionID,
		Format:   e.format,
		Limits:   shipper.Limits{Bytes: e.cfg.Limits.MonthBytes, Rows: e.cfg.Limits.MonthRows},
		Verify:   e.cfg.Verify,
		Differences: func(hours int) {
			e.telemetry.builder.ExporterCloudzeroDifferingHours.Add(context.Background(), int64(hours))
		},
		Logger: log,
		Posted: e.telemetry.posted,
		Status: func(err error) { e.health.set("anycost", err) },
	})
	e.leaks = e.newDetector()
	if err := e.telemetry.observe(e.books, e.shipper, e.leaks, e.unbilled); err != nil {
		return err
	}
	e.shipper.Start()
	e.leaks.Start()
	if e.cfg.Console.HasValue() {
		if e.console, err = startConsole(ctx, host, e); err != nil {
			return err
		}
	}
	e.greet(log)
	return nil
}

// commitEvery bounds what commits cost. One takes a file_storage some 25 µs, and
// time for what it writes; so many small requests cost no more than 500 of them
// in a second.
func (e *cloudzeroExporter) commitEvery() time.Duration {
	if e.cfg.Storage == nil {
		return 0 // memory takes no time
	}
	return 2 * time.Millisecond
}

// greet says at start what an operator may not have meant.
func (e *cloudzeroExporter) greet(log *zap.Logger) {
	if e.cfg.DryRun {
		log.Warn("Dry run: nothing is posted to CloudZero", zap.Bool("books_survive_a_restart", e.cfg.Storage != nil))
	}
	if e.cfg.Export.Interval < shortInterval {
		log.Warn("export::interval is below 60m; CloudZero asks not to drop data more often than it changes much",
			zap.Duration("interval", e.cfg.Export.Interval))
	}
}

// newClient returns nil in a dry run.
func (e *cloudzeroExporter) newClient(ctx context.Context, host component.Host) (*anycost.Client, error) {
	if e.cfg.DryRun {
		return nil, nil //nolint:nilnil // no client is what a dry run has
	}
	httpClient, err := e.cfg.HTTP.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("HTTP client for AnyCost: %w", err)
	}
	agent := e.set.BuildInfo.Command + "/" + e.set.BuildInfo.Version
	return anycost.New(httpClient, e.cfg.HTTP.Endpoint, e.cfg.ConnectionID, string(e.cfg.APIKey), agent)
}

func (e *cloudzeroExporter) openStorage(ctx context.Context, host component.Host) (storage.Client, error) {
	if e.cfg.Storage == nil {
		return newMemory(), nil
	}
	extension, ok := host.GetExtensions()[*e.cfg.Storage]
	if !ok {
		return nil, keyError("storage", fmt.Errorf("there is no extension %q; list it under service::extensions", e.cfg.Storage))
	}
	s, ok := extension.(storage.Extension)
	if !ok {
		return nil, keyError("storage", fmt.Errorf("the extension %q is no storage", e.cfg.Storage))
	}
	client, err := s.GetClient(ctx, component.KindExporter, e.set.ID, e.booksName())
	if err != nil {
		return nil, keyError("storage", fmt.Errorf("open %q: %w", e.cfg.Storage, err))
	}
	return client, nil
}

// sayWhatWaits tells who stops the exporter that not all is posted yet.
func (e *cloudzeroExporter) sayWhatWaits() {
	var waiting, held billing.Amount
	for _, m := range e.shipper.State(time.Now()).Months {
		waiting, held = waiting.Add(m.Waiting), held.Add(m.Held)
	}
	if !waiting.IsZero() || !held.IsZero() {
		e.set.Logger.Info("Not all is posted yet; it waits in the storage for the next start with this connection",
			zap.Stringer("waiting", waiting), zap.Stringer("held", held))
	}
}

// booksName is the name of the books in the storage: those of one connection
// say nothing of another.
func (e *cloudzeroExporter) booksName() string {
	if e.cfg.ConnectionID == "" {
		return "books"
	}
	return "books_" + e.cfg.ConnectionID
}

// shutdown is safe without start, after a start that failed half-way, and twice.
func (e *cloudzeroExporter) shutdown(ctx context.Context) error {
	var errs []error
	if e.shipper != nil {
		e.sayWhatWaits()
		// First, because requests to the console may wait for it.
		errs = append(errs, e.shipper.Shutdown(ctx))
	}
	if e.console != nil {
		errs = append(errs, e.console.shutdown(ctx))
		e.console = nil
	}
	if e.leaks != nil {
		e.leaks.Shutdown()
	}
	e.telemetry.shutdown()
	if e.books != nil {
		errs = append(errs, e.books.Close(ctx))
	}
	if e.storage != nil {
		errs = append(errs, e.storage.Close(ctx))
		e.storage = nil
	}
	return errors.Join(errs...)
}
