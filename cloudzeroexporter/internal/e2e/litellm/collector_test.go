package litellm

import (
	"context"
	_ "embed"
	"errors"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

const (
	apiKey       = "e2e-key-that-no-log-may-show"
	connectionID = "e2e-connection"
)

//go:embed testdata/collector.yaml
var collectorYAML string

// station is a stand-in AnyCost, and how the collectors are started that post to
// it, one after the other.
type station struct {
	t       *testing.T
	anycost *anycosttest.Server
	options otelcol.Options
	log     *os.File // of the collectors
	hours   bool     // whether the hours of the calls have to be right
}

func newStation(t *testing.T, config string) *station {
	t.Helper()
	return newStationWith(t, config, anycosttest.Config{})
}

// newStationWith is a station whose AnyCost is of a kind.
func newStationWith(t *testing.T, config string, cfg anycosttest.Config) *station {
	t.Helper()
	cfg.APIKey, cfg.ConnectionID = apiKey, connectionID
	anycost := anycosttest.New(cfg)
	t.Cleanup(anycost.Close)
	server := httptest.NewServer(anycost)
	t.Cleanup(server.Close)
	log := logFile(t, "the billing collector")
	return &station{t: t, anycost: anycost, log: log, hours: true, options: otelcol.Options{
		Binary: binary(t), Config: config, Log: log,
		Addresses: otelcoltest.Addresses(t),
		Env: []string{
			"CLOUDZERO_ENDPOINT=" + server.URL, "CLOUDZERO_API_KEY=" + apiKey, "CLOUDZERO_CONNECTION_ID=" + connectionID,
			"STORAGE=" + t.TempDir(),
		},
	}}
}

// start starts a collector and waits until it takes data.
func (s *station) start() *otelcol.Collector {
	s.t.Helper()
	return startCollector(s.t, s.options)
}

func startCollector(t *testing.T, o otelcol.Options) *otelcol.Collector {
	t.Helper()
	c, err := otelcol.Start(o)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.Ready(ctx))
	return c
}

func stopCollector(t *testing.T, c *otelcol.Collector) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	require.NoError(t, c.Stop(ctx))
}

// agrees has everything posted until AnyCost holds what LiteLLM computed, or
// fails with what differs. What is under way comes before LiteLLM gives it up. It
// returns the calls.
func (s *station) agrees(c *otelcol.Collector, truth func() []call) (calls []call) {
	s.t.Helper()
	eventually(s.t, 90*time.Second, "AnyCost holds what LiteLLM computed", func() error {
		if _, err := c.Export(s.t.Context()); err != nil {
			return err
		}
		calls = truth()
		held := heldBill(s.t, s.anycost.Rows())
		if !s.hours {
			held, calls = held.withoutHours(), withoutHours(calls)
		}
		if d := difference(s.t, held, calls); d != "" {
			return errors.New(d)
		}
		return nil
	})
	assert.Empty(s.t, s.anycost.Violations())
	return calls
}

// dialect is how LiteLLM is told to speak.
type dialect struct {
	name string
	env  []string
}

var (
	second = dialect{"v2", []string{"LITELLM_OTEL_V2=true"}}
	first  = dialect{"v1 with a request span", []string{"USE_OTEL_LITELLM_REQUEST_SPAN=true"}}

	// Both can leave out the names of before.
	secondOnly   = dialect{"v2 without old names", append([]string{"LITELLM_OTEL_LEGACY_COMPAT=false"}, second.env...)}
	firstSemconv = dialect{"v1 with semantic conventions", append([]string{"OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental"}, first.env...)}
)

// patient is how the README has people set up LiteLLM's exporter: it sends soon,
// and gives a request up after a minute (by default after ten seconds, for which a
// busy machine stands still now and then).
var patient = []string{"OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_BSP_MAX_QUEUE_SIZE=65536", "OTEL_EXPORTER_OTLP_TIMEOUT=60"}

// overHTTP and overGRPC point LiteLLM at a collector.
func overHTTP(a otelcol.Addresses) []string {
	return append([]string{"OTEL_EXPORTER=otlp_http", "OTEL_ENDPOINT=http://" + a.HTTP + "/v1/traces"}, patient...)
}

func overGRPC(a otelcol.Addresses) []string {
	return append([]string{"OTEL_EXPORTER=otlp_grpc", "OTEL_ENDPOINT=http://" + a.GRPC}, patient...)
}
