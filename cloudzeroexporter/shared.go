package cloudzeroexporter

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// exporters are the exporters of one factory. The service makes an instance for
// each signal of a component's id; all of them share one exporter, and its books.
type exporters struct {
	mu   sync.Mutex // guards all
	byID map[exporterID]*sharedExporter
}

// exporterID tells exporters apart. The service makes all instances of an id
// from one configuration, and reads another one when it reloads.
type exporterID struct {
	id  component.ID
	cfg *Config
}

func newExporters() *exporters {
	return &exporters{byID: make(map[exporterID]*sharedExporter)}
}

// instance makes the instance of a signal, and its exporter if it is the first.
func (x *exporters) instance(set exporter.Settings, cfg component.Config, s source) (*instance, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := exporterID{set.ID, cfg.(*Config)}
	shared, ok := x.byID[id]
	if !ok {
		e, err := newExporter(set, id.cfg)
		if err != nil {
			return nil, err
		}
		shared = &sharedExporter{exporter: e, instances: make(map[*instance]struct{})}
		shared.forget = func() {
			x.mu.Lock()
			defer x.mu.Unlock()
			delete(x.byID, id)
		}
		x.byID[id] = shared
	}
	return shared.join(s), nil
}

func (x *exporters) createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	i, err := x.instance(set, cfg, sourceTraces)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewTraces(ctx, set, cfg, i.pushTraces, i.options()...)
}

func (x *exporters) createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	i, err := x.instance(set, cfg, sourceMetrics)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, i.pushMetrics, i.options()...)
}

// sharedExporter is an exporter and the instances that share it. It runs from
// the first start of an instance to the last shutdown of one that was started.
type sharedExporter struct {
	exporter *cloudzeroExporter
	forget   func()

	mu        sync.Mutex // guards everything below
	instances map[*instance]struct{}
	running   int   // instances that are started
	tried     bool  // the exporter was started
	failure   error // of its start
}

func (s *sharedExporter) join(of source) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := &instance{sharedExporter: s, of: of}
	s.instances[i] = struct{}{}
	return i
}

// instance is the exporter as the service has it for one signal.
type instance struct {
	*sharedExporter
	of      source
	started bool // guarded by sharedExporter.mu
}

// options are what makes the collector see the exporter.
func (i *instance) options() []exporterhelper.Option {
	// No queue, no retry, no timeout in front: a batch is acknowledged when the
	// books have it, and until then the sender's own queue is the buffer.
	return []exporterhelper.Option{
		exporterhelper.WithStart(i.start),
		exporterhelper.WithShutdown(i.shutdown),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
	}
}

// start starts the exporter if this is the first instance. All instances are
// made before one is started, so it is known by then what the exporter gets.
func (i *instance) start(ctx context.Context, host component.Host) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.exporter
	if !i.tried {
		i.tried = true
		if i.failure = i.open(ctx, host); i.failure != nil {
			_ = e.shutdown(ctx) // the failure says more than what follows from it
		}
	}
	if i.failure != nil {
		return i.failure
	}
	e.health.add(host)
	i.started = true
	i.running++
	return nil
}

func (s *sharedExporter) open(ctx context.Context, host component.Host) error {
	wired := make(map[source]bool)
	for i := range s.instances {
		wired[i.of] = true
	}
	billed, err := s.exporter.cfg.Source.resolve(wired)
	if err != nil {
		return keyError("source", err)
	}
	s.exporter.source = billed
	return s.exporter.start(ctx, host)
}

// shutdown is safe without start and twice.
func (i *instance) shutdown(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.instances, i)
	if len(i.instances) == 0 {
		i.forget()
	}
	if !i.started {
		return nil
	}
	i.started = false
	if i.running--; i.running > 0 {
		return nil
	}
	i.forget() // whoever comes now needs another one
	return i.exporter.shutdown(ctx)
}

func (i *instance) pushTraces(ctx context.Context, td ptrace.Traces) error {
	return i.exporter.pushTraces(ctx, td)
}

func (i *instance) pushMetrics(ctx context.Context, md pmetric.Metrics) error {
	return i.exporter.pushMetrics(ctx, md)
}
