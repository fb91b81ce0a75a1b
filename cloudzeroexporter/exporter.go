package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/leaks"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
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
	token     string // of the console; "" when there is none
	health    *health
	notices   notices
	unbilled  *metricsWatch // of metrics that are not billed
	batches   sync.Pool     // of *ledger.Batch
	// archiveAfter is an age other than the books' own; 0 but in tests.
	archiveAfter time.Duration

	// Below is what start makes and shutdown ends.
	source  source // the signal that is billed
	host    component.Host
	http    *http.Client // to AnyCost; nil in a dry run
	setup   *setupStore  // nil in a dry run
	leaks   *leaks.Detector
	console *consoleServer

	mu sync.RWMutex // guards everything below, which changes when a connection is set up
	connection
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
	token := ""
	if cfg.Console.HasValue() {
		token = string(cfg.Console.Get().Token)
	}
	reading := usage.Config{Instrumentations: instrumentations, Attributes: layout.Attributes(), Skip: layout.Unused()}
	return &cloudzeroExporter{
		cfg:       cfg,
		token:     token,
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
	err := e.commit(ctx, b)
	e.telemetry.count(ctx, b.Tally())
	return err
}

// commit books the batch, in the books of the connection that is set up.
func (e *cloudzeroExporter) commit(ctx context.Context, b *ledger.Batch) error {
	books, users := e.hold()
	defer users.Done()
	return books.Commit(ctx, b)
}

func (e *cloudzeroExporter) start(ctx context.Context, host component.Host) error {
	e.host = host
	if !e.cfg.DryRun {
		var err error
		if e.http, err = e.cfg.HTTP.ToClient(ctx, host.GetExtensions(), e.set.TelemetrySettings); err != nil {
			return fmt.Errorf("HTTP client for AnyCost: %w", err)
		}
		if e.setup, err = e.openSetup(ctx); err != nil {
			return err
		}
	}
	if err := e.connect(ctx); err != nil {
		return err
	}
	e.leaks = e.newDetector()
	if err := e.telemetry.observe(e.current, e.leaks, e.unbilled); err != nil {
		return err
	}
	e.shipper.Start()
	e.leaks.Start()
	if e.cfg.Console.HasValue() {
		var err error
		if e.console, err = startConsole(ctx, host, e); err != nil {
			return err
		}
	}
	e.greet(e.set.Logger)
	return nil
}

// commitEvery bounds what commits cost. One takes a file_storage some 25 µs, and
// time for what it writes; so few calls, in however many requests, cost no more than
// 500 of them in a second.
const commitEvery = 2 * time.Millisecond

// greet says at start what an operator may not have meant.
func (e *cloudzeroExporter) greet(log *zap.Logger) {
	if e.cfg.DryRun {
		log.Warn("Dry run: nothing is posted to CloudZero", zap.Bool("books_survive_a_restart", e.cfg.Storage != nil))
	}
	if e.setup != nil {
		e.setup.greet(e.credentials, log)
	}
	if e.cfg.Export.Interval < shortInterval {
		log.Warn("export::interval is below 60m; CloudZero asks not to drop data more often than it changes much",
			zap.Duration("interval", e.cfg.Export.Interval))
	}
}

// openStorage opens the part of the storage that has the name.
func (e *cloudzeroExporter) openStorage(ctx context.Context, name string) (storage.Client, error) {
	if e.cfg.Storage == nil {
		return newMemory(), nil
	}
	extension, ok := e.host.GetExtensions()[*e.cfg.Storage]
	if !ok {
		return nil, keyError("storage", fmt.Errorf("there is no extension %q; list it under service::extensions", e.cfg.Storage))
	}
	s, ok := extension.(storage.Extension)
	if !ok {
		return nil, keyError("storage", fmt.Errorf("the extension %q is no storage", e.cfg.Storage))
	}
	client, err := s.GetClient(ctx, component.KindExporter, e.set.ID, name)
	if err != nil {
		return nil, keyError("storage", fmt.Errorf("open %q: %w", e.cfg.Storage, err))
	}
	return client, nil
}

// shutdown is safe without start, after a start that failed half-way, and twice.
func (e *cloudzeroExporter) shutdown(ctx context.Context) error {
	var errs []error
	if e.setup != nil {
		e.setup.close() // from here on the connection stays what it is
	}
	if _, s := e.current(); s != nil {
		sayWhatWaits(s, e.set.Logger)
		// First, because requests to the console may wait for it.
		errs = append(errs, s.Shutdown(ctx))
	}
	if e.console != nil {
		errs = append(errs, e.console.shutdown(ctx))
		e.console = nil
	}
	if e.leaks != nil {
		e.leaks.Shutdown()
	}
	e.telemetry.shutdown()
	errs = append(errs, e.closeBooks(ctx))
	e.mu.Lock()
	e.storage = nil
	e.mu.Unlock()
	if e.setup != nil {
		errs = append(errs, e.setup.shut(ctx))
	}
	return errors.Join(errs...)
}
