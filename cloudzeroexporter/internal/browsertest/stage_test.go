package browsertest

import (
	"context"
	_ "embed"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

const (
	apiKey       = "browser-key-that-no-page-may-show"
	connectionID = "browser-connection"
	consoleToken = "a token that is long enough"
	captureRoot  = "../../../testdata/captures"
)

//go:embed testdata/collector.yaml
var collectorYAML string

// stage is a stand-in AnyCost and a collector of the built distribution that
// posts to it.
type stage struct {
	*otelcol.Collector
	t       *testing.T
	anycost *anycosttest.Server
	options otelcol.Options
}

// newStage starts a collector. Its token is asked for if it is not "".
func newStage(t *testing.T, token string, cfg anycosttest.Config, env ...string) *stage {
	t.Helper()
	s := prepareStage(t, token, cfg, env...)
	s.start()
	return s
}

// prepareStage is a stage whose collector is not started yet.
func prepareStage(t *testing.T, token string, cfg anycosttest.Config, env ...string) *stage {
	t.Helper()
	path := os.Getenv("OTELCOL_CLOUDZERO")
	if path == "" {
		t.Skip("OTELCOL_CLOUDZERO does not name the built distribution; `make browser-test` does")
	}
	cfg.APIKey, cfg.ConnectionID = apiKey, connectionID
	anycost := anycosttest.New(cfg)
	t.Cleanup(anycost.Close)
	server := httptest.NewServer(anycost)
	t.Cleanup(server.Close)
	log := new(otelcoltest.Log)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the collector's log:\n%s", log.String())
		}
		require.NotContains(t, log.String(), apiKey)
		require.NotContains(t, log.String(), consoleToken)
	})
	return &stage{t: t, anycost: anycost, options: otelcol.Options{
		Binary: path, Config: collectorYAML, Log: log,
		Addresses: otelcoltest.Addresses(t),
		Env: append([]string{
			"CLOUDZERO_ENDPOINT=" + server.URL, "CLOUDZERO_API_KEY=" + apiKey, "CLOUDZERO_CONNECTION_ID=" + connectionID,
			"STORAGE=" + t.TempDir(), "CONSOLE_TOKEN=" + token,
		}, env...),
	}}
}

func (s *stage) start() {
	s.t.Helper()
	c, err := otelcol.Start(s.options)
	require.NoError(s.t, err)
	s.t.Cleanup(c.Kill)
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	require.NoError(s.t, c.Ready(ctx))
	s.Collector = c
}

func (s *stage) stop() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(s.t, s.Stop(ctx))
}

// send sends the requests.
func (s *stage) send(requests ...ptrace.Traces) {
	s.t.Helper()
	for _, td := range requests {
		require.NoError(s.t, s.Send(s.t.Context(), td))
	}
}

func loadCapture(t *testing.T, name string) *captures.Capture {
	t.Helper()
	capture, err := captures.Load(filepath.Join(captureRoot, name))
	require.NoError(t, err)
	return capture
}
