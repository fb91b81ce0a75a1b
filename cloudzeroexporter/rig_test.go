package cloudzeroexporter

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

const (
	testKey        = "a-secret-key"
	testConnection = "connection-1"
)

var (
	diskID  = component.MustNewID("disk")
	localID = component.MustNewID("local")
)

// rig is an exporter with everything that it touches: a stand-in AnyCost that
// is reached without a network, a storage that survives the exporter, and a
// host.
type rig struct {
	t       *testing.T
	cfg     *Config
	anycost *anycosttest.Server
	disk    *memory
	host    *rigHost
	logs    *observer.ObservedLogs
	metrics *componenttest.Telemetry
	set     exporter.Settings
	token   string // of a console that listens nowhere
	// archiveAfter is when the identities of an hour go to the archive, if not at
	// the usual age.
	archiveAfter time.Duration
	last         *cloudzeroExporter // the one that was started last
	started      exporter.Traces    // the same, as the collector sees it
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t:       t,
		anycost: anycosttest.New(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection}),
		disk:    newMemory(),
		metrics: componenttest.NewTelemetry(),
	}
	t.Cleanup(func() { r.anycost.Close() })
	r.cfg = createDefaultConfig().(*Config)
	r.cfg.APIKey, r.cfg.ConnectionID, r.cfg.Storage = testKey, testConnection, &diskID
	r.cfg.HTTP.Auth = configoptional.Some(configauth.Config{AuthenticatorID: localID})
	r.host = &rigHost{extensions: map[component.ID]component.Component{
		diskID:  &diskExtension{disk: r.disk},
		localID: &localExtension{transport: r.anycost.Transport()},
	}}
	core, logs := observer.New(zap.DebugLevel)
	r.logs = logs
	r.set = exportertest.NewNopSettings(metadata.Type)
	r.set.ID = component.NewID(metadata.Type) // the same over restarts, as its storage
	r.set.TelemetrySettings = r.metrics.NewTelemetrySettings()
	r.set.Logger = zap.New(core)
	return r
}

// start makes and starts an exporter that is shut down when the test ends, if
// it was not before.
func (r *rig) start() exporter.Traces {
	r.t.Helper()
	x := newExporters()
	e, err := x.createTraces(r.t.Context(), r.set, r.cfg)
	require.NoError(r.t, err)
	own := x.byID[exporterID{r.set.ID, r.cfg}].exporter
	own.token, own.archiveAfter = r.token, r.archiveAfter
	require.NoError(r.t, e.Start(r.t.Context(), r.host))
	r.last, r.started = own, e
	r.t.Cleanup(func() { assert.NoError(r.t, e.Shutdown(context.Background())) })
	return e
}

// startMetrics makes and starts an exporter that is in a metrics pipeline.
func (r *rig) startMetrics() exporter.Metrics {
	r.t.Helper()
	x := newExporters()
	e, err := x.createMetrics(r.t.Context(), r.set, r.cfg)
	require.NoError(r.t, err)
	r.last = x.byID[exporterID{r.set.ID, r.cfg}].exporter
	r.last.token = r.token
	require.NoError(r.t, e.Start(r.t.Context(), r.host))
	r.t.Cleanup(func() { assert.NoError(r.t, e.Shutdown(context.Background())) })
	return e
}

// sleepUntil lets a synctest bubble, which begins in 2000, reach the time.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// rigHost gives out extensions and keeps what statuses were reported.
type rigHost struct {
	extensions map[component.ID]component.Component
	statuses   []componentstatus.Status
}

func (h *rigHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

// Report implements [componentstatus.Reporter]. The exporter reports from one
// place at a time.
func (h *rigHost) Report(e *componentstatus.Event) { h.statuses = append(h.statuses, e.Status()) }

// diskExtension is a storage extension.
type diskExtension struct {
	component.StartFunc
	component.ShutdownFunc
	disk *memory
}

func (d *diskExtension) GetClient(_ context.Context, _ component.Kind, _ component.ID, name string) (storage.Client, error) {
	return partOf(d.disk, name), nil
}

// partOf is the part of the disk that a storage of the name has: for each slot of
// an archive one of its own, and one for all else.
func partOf(disk storage.Client, name string) storage.Client {
	if strings.HasPrefix(name, "archive_") {
		return &diskPart{disk, name + "/"}
	}
	return disk
}

// diskPart is where all keys have a prefix.
type diskPart struct {
	storage.Client
	prefix string
}

func (p *diskPart) Get(ctx context.Context, key string) ([]byte, error) {
	return p.Client.Get(ctx, p.prefix+key)
}

func (p *diskPart) Set(ctx context.Context, key string, value []byte) error {
	return p.Batch(ctx, storage.SetOperation(key, value))
}

func (p *diskPart) Batch(ctx context.Context, ops ...*storage.Operation) error {
	own := make([]*storage.Operation, len(ops))
	for i, op := range ops {
		own[i] = &storage.Operation{Type: op.Type, Key: p.prefix + op.Key, Value: op.Value}
	}
	return p.Client.Batch(ctx, own...)
}

// localExtension sends requests to the stand-in, as an auth extension that
// wraps the transport may.
type localExtension struct {
	component.StartFunc
	component.ShutdownFunc
	transport http.RoundTripper
}

var _ extensionauth.HTTPClient = (*localExtension)(nil)

func (l *localExtension) RoundTripper(http.RoundTripper) (http.RoundTripper, error) {
	return l.transport, nil
}

// outcomes are the exporter's own counters, spans or tokens, by outcome.
func (r *rig) outcomes(of string) map[string]int64 {
	r.t.Helper()
	metric, err := r.metrics.GetMetric("otelcol_exporter_cloudzero_" + of)
	require.NoError(r.t, err)
	counts := make(map[string]int64)
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		outcome, _ := point.Attributes.Value("outcome")
		counts[outcome.AsString()] = point.Value
	}
	return counts
}

// gauge is the value of one of the exporter's own gauges.
func (r *rig) gauge(name string) int64 {
	r.t.Helper()
	metric, err := r.metrics.GetMetric("otelcol_exporter_cloudzero_" + name)
	require.NoError(r.t, err)
	points := metric.Data.(metricdata.Gauge[int64]).DataPoints
	require.Len(r.t, points, 1)
	return points[0].Value
}

// gaugeText is the value of one that counts dollars, in its shortest decimal.
func (r *rig) gaugeText(name string) string {
	r.t.Helper()
	metric, err := r.metrics.GetMetric("otelcol_exporter_cloudzero_" + name)
	require.NoError(r.t, err)
	var points []metricdata.DataPoint[float64]
	switch data := metric.Data.(type) {
	case metricdata.Gauge[float64]:
		points = data.DataPoints
	case metricdata.Sum[float64]:
		points = data.DataPoints
	}
	if len(points) == 0 {
		return ""
	}
	require.Len(r.t, points, 1)
	return strconv.FormatFloat(points[0].Value, 'f', -1, 64)
}

// serve puts another stand-in in the place of the first.
func (r *rig) serve(cfg anycosttest.Config) {
	r.anycost.Close()
	r.anycost = anycosttest.New(cfg)
	r.host.extensions[localID] = &localExtension{transport: r.anycost.Transport()}
}

// afterCrash is a rig as a new process would find it if this one were killed
// now: the same AnyCost, and the disk as it is.
func (r *rig) afterCrash() *rig {
	next := *r
	disk := newMemory()
	r.disk.mu.Lock()
	maps.Copy(disk.values, r.disk.values)
	r.disk.mu.Unlock()
	next.disk = disk
	next.host = &rigHost{extensions: maps.Clone(r.host.extensions)}
	next.host.extensions[diskID] = &diskExtension{disk: disk}
	return &next
}

// ask asks the exporter's console.
func (r *rig) ask(path, body string) (status int, text string) {
	r.t.Helper()
	return r.askAs(http.MethodPost, path, body)
}

func (r *rig) askAs(method, path, body string) (status int, text string) {
	r.t.Helper()
	w := httptest.NewRecorder()
	request := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	console.Handler(console.Options{Current: r.last.exports, Logger: r.set.Logger, Format: r.last.format}).ServeHTTP(w, request)
	return w.Code, w.Body.String()
}

// disksExtension has a disk for each name.
type disksExtension struct {
	component.StartFunc
	component.ShutdownFunc
	disks map[string]*memory
}

func (d *disksExtension) GetClient(_ context.Context, _ component.Kind, _ component.ID, name string) (storage.Client, error) {
	if d.disks[name] == nil {
		d.disks[name] = newMemory()
	}
	return d.disks[name], nil
}
