package litellm

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

// trouble is what AnyCost does in each round of the chaos.
var trouble = []anycosttest.Fault{
	{Method: http.MethodPost, DropAfter: true},
	{Status: http.StatusServiceUnavailable, Times: 3},
	{Method: http.MethodPost, DropBefore: true, Times: 2},
	{Status: http.StatusTooManyRequests, RetryAfter: "1", Times: 2},
	{Method: http.MethodPost, Status: http.StatusRequestEntityTooLarge},
	{Method: http.MethodPost, Delay: 300 * time.Millisecond, Times: 3},
	{Status: http.StatusInternalServerError, Body: "no JSON", Times: 2},
	{Method: http.MethodPost, EffectAfter: 200 * time.Millisecond},
}

// TestChaos has the production set-up of examples/edge.yaml and
// examples/billing.yaml, and everything in it dies during the load: the billing
// collector by kill -9 in each round, the edge by kill -9, LiteLLM by SIGTERM
// and by kill -9. AnyCost has its moods.
func TestChaos(t *testing.T) {
	t.Parallel()
	venvs(t)
	forAll(t)
	s := newStation(t, example(t, "billing.yaml"))
	s.options.Env = append(s.options.Env, "OTELCOL_CLOUDZERO_BOOKS="+t.TempDir())
	s.options.Overrides = append(quiet(s.options.Addresses), "yaml:receivers::otlp::protocols::grpc::endpoint: "+s.options.GRPC,
		"yaml:exporters::cloudzero::console::endpoint: "+s.options.Console,
		"yaml:exporters::cloudzero::endpoint: ${env:CLOUDZERO_ENDPOINT}")
	at := otelcol.Addresses{GRPC: otelcoltest.Free(t), HTTP: otelcoltest.Free(t), Health: otelcoltest.Free(t)}
	edge := otelcol.Options{
		Binary: binary(t), Config: example(t, "edge.yaml"), Log: logFile(t, "the edge collector"), Addresses: at,
		Env: []string{"BILLING_COLLECTOR=" + s.options.GRPC, "OTELCOL_CLOUDZERO_QUEUE=" + t.TempDir()},
		Overrides: append(quiet(at), "yaml:receivers::otlp::protocols::grpc::endpoint: "+at.GRPC,
			"yaml:receivers::otlp::protocols::http::endpoint: "+at.HTTP),
	}

	billing, atEdge := s.start(), startCollector(t, edge)
	w := newWorld(t, newest, append(slices.Clone(second.env), overHTTP(at)...)...)
	p := w.start()
	d := w.newDriver(p.url)
	load, endLoad := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	clients.Go(func() {
		for load.Err() == nil {
			d.sendAll(append(crowd(d.random, 20), mixed(d.random)...), 6)
		}
	})
	clients.Go(func() {
		service := &otelcol.Collector{Addresses: s.options.Addresses} // the addresses stay
		for load.Err() == nil {
			_, _ = service.Export(load)
			time.Sleep(20 * time.Millisecond)
		}
	})
	for round, fault := range trouble {
		s.anycost.Fail(fault)
		w.after(20)
		billing.Kill()
		w.after(20) // which wait at the edge
		switch round {
		case 1, 6:
			atEdge.Kill()
			atEdge = startCollector(t, edge)
		case 3:
			p.stop(syscall.SIGTERM)
			p = w.start()
		case 5:
			p.kill()
			p = w.start()
		}
		billing = s.start()
	}
	endLoad()
	clients.Wait()
	p.stop(syscall.SIGINT)
	s.anycost.Heal()

	calls, exports := w.calls(), w.sent()
	require.Less(t, len(exports.uncertain), 10)
	var held bill
	eventually(t, 2*time.Minute, "AnyCost holds what LiteLLM has sent", func() error {
		if _, err := billing.Export(t.Context()); err != nil {
			return err
		}
		held = heldBill(t, s.anycost.Rows())
		var differences string
		for _, truth := range exports.possible(calls) {
			d := difference(t, held, truth)
			if d == "" {
				return nil
			}
			differences = d
		}
		return errors.New(differences)
	})
	assert.Empty(t, s.anycost.Violations())
	lost := slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.zero() || exports.acknowledged[c.ID] })
	// While the edge is away, what LiteLLM's exporter has not sent waits in its memory.
	assert.Greater(t, len(exports.acknowledged), 3*len(lost), "LiteLLM lost more than its queue")
	t.Logf("%d calls for %s dollars; AnyCost holds %s; LiteLLM died with %d calls, and did not know of %d requests",
		len(calls), trueBill(t, calls).total(), held.total(), len(lost), len(exports.uncertain))
	stopCollector(t, atEdge)
	stopCollector(t, billing)
}

// after waits for so many more calls.
func (w *world) after(more int) {
	w.t.Helper()
	before := len(lines(w.t, w.truth))
	eventually(w.t, time.Minute, "the load goes on", func() error {
		if len(lines(w.t, w.truth)) < before+more {
			return errors.New("not yet")
		}
		return nil
	})
}

// example is a configuration that people are shown.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../../examples", name))
	require.NoError(t, err)
	return string(text)
}

// quiet are the overrides that let several collectors run beside each other.
func quiet(a otelcol.Addresses) []string {
	return []string{
		"yaml:extensions::health_check::endpoint: " + a.Health,
		"yaml:service::telemetry::metrics::level: none",
	}
}
