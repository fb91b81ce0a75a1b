// Package e2e tests the built distribution as its users run it: another
// process, OTLP over HTTP, a real file_storage, a stand-in AnyCost behind a real
// connection. `make test` builds it and sets OTELCOL_CLOUDZERO.
package e2e

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}), goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

const (
	apiKey       = "e2e-key-that-no-log-may-show"
	connectionID = "e2e-connection"
	captureRoot  = "../../../testdata/captures"
)

//go:embed testdata/collector.yaml
var collectorYAML string

// binary is the distribution's path.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OTELCOL_CLOUDZERO")
	if path == "" {
		t.Skip("OTELCOL_CLOUDZERO does not name the built distribution; `make test` does")
	}
	return path
}

// stage is a stand-in AnyCost and the options of collectors that post to it and
// share one storage.
type stage struct {
	t       *testing.T
	anycost *anycosttest.Server
	options otelcol.Options
	log     *otelcoltest.Log
	metrics string // where the collector tells its own metrics
	storage string // folder of file_storage
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, anycosttest.Config{}, nil)
}

// newStageWith is a stage whose AnyCost is of a kind, and is reached through a
// wrapper.
func newStageWith(t *testing.T, cfg anycosttest.Config, wrap func(http.Handler) http.Handler) *stage {
	t.Helper()
	path := binary(t)
	cfg.APIKey, cfg.ConnectionID = apiKey, connectionID
	anycost := anycosttest.New(cfg)
	t.Cleanup(anycost.Close)
	handler := http.Handler(anycost)
	if wrap != nil {
		handler = wrap(anycost)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	metrics := otelcoltest.Free(t)
	_, metricsPort, err := net.SplitHostPort(metrics)
	require.NoError(t, err)
	log := new(otelcoltest.Log)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the collector's log:\n%s", log.String())
		}
		require.NotContains(t, log.String(), apiKey)
	})
	storage := t.TempDir()
	return &stage{t: t, anycost: anycost, log: log, metrics: metrics, storage: storage, options: otelcol.Options{
		Binary: path, Config: collectorYAML, Log: log,
		Addresses: otelcoltest.Addresses(t),
		Env: []string{
			"CLOUDZERO_ENDPOINT=" + server.URL, "CLOUDZERO_API_KEY=" + apiKey, "CLOUDZERO_CONNECTION_ID=" + connectionID,
			"STORAGE=" + storage, "METRICS_PORT=" + metricsPort,
		},
	}}
}

// start starts a collector and waits until it takes data.
func (s *stage) start() *otelcol.Collector {
	s.t.Helper()
	c, err := otelcol.Start(s.options)
	require.NoError(s.t, err)
	s.t.Cleanup(c.Kill)
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	require.NoError(s.t, c.Ready(ctx))
	return c
}

// stop shuts the collector down in peace.
func (s *stage) stop(c *otelcol.Collector) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(s.t, c.Stop(ctx))
}

// sendAll sends the requests, each until it is acknowledged.
func sendAll(ctx context.Context, c *otelcol.Collector, requests []ptrace.Traces) error {
	for _, td := range requests {
		if err := send(ctx, c, td); err != nil {
			return err
		}
	}
	return nil
}

func send(ctx context.Context, c *otelcol.Collector, td ptrace.Traces) error {
	for {
		err := c.Send(ctx, td)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func loadCapture(t *testing.T, name string) *captures.Capture {
	t.Helper()
	capture, err := captures.Load(filepath.Join(captureRoot, name))
	require.NoError(t, err)
	return capture
}
