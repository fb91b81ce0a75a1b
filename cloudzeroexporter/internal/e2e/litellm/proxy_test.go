package litellm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

// world is what a LiteLLM lives in: a release, a fake provider, and files for
// the truth. It outlives the proxies that run in it, one after the other.
type world struct {
	t        *testing.T
	release  string
	env      []string
	provider string // URL
	truth    string // file of the calls
	exports  string // file of the span exporter's requests
	address  string // of the proxy
	log      *os.File
}

func newWorld(t *testing.T, release string, env ...string) *world {
	t.Helper()
	server := httptest.NewServer(&provider{})
	t.Cleanup(server.Close)
	hooks, err := filepath.Abs("testdata")
	require.NoError(t, err)
	w := &world{
		t: t, release: release, provider: server.URL, address: otelcoltest.Free(t), log: logFile(t, "LiteLLM "+release),
		truth: filepath.Join(t.TempDir(), "truth.jsonl"), exports: filepath.Join(t.TempDir(), "exports.jsonl"),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("of the calls of LiteLLM %s:\n%s", release, w.fates())
		}
	})
	w.env = append(neutral(os.Environ()),
		"PYTHONPATH="+hooks, "PYTHONDONTWRITEBYTECODE=1", "TRUTH="+w.truth, "EXPORTS="+w.exports,
		"UPSTREAM="+server.URL, "UPSTREAM_V1="+server.URL+"/v1",
		"LITELLM_LOCAL_MODEL_COST_MAP=True", // the prices that the release ships, not those of today's download
		"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true",
		"NO_PROXY=*",
	)
	if release == oldest { // it looks teams up in a database
		w.env = append(w.env, "TEAM_BY_HOOK=1")
	}
	w.env = append(w.env, env...)
	return w
}

// neutral is an environment without what LiteLLM, its OpenTelemetry and its
// providers' clients would take from the one of who runs the tests.
func neutral(env []string) []string {
	return slices.DeleteFunc(env, func(variable string) bool {
		return slices.ContainsFunc([]string{"LITELLM_", "USE_OTEL_", "OTEL_", "OPENAI_", "AZURE_", "ANTHROPIC_", "CLOUDZERO_"},
			func(prefix string) bool { return strings.HasPrefix(variable, prefix) })
	})
}

// proxy is a running LiteLLM proxy.
type proxy struct {
	t    *testing.T
	url  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// start starts the world's proxy and waits until it takes calls.
func (w *world) start() *proxy {
	w.t.Helper()
	host, port, err := net.SplitHostPort(w.address)
	require.NoError(w.t, err)
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()),
		python(w.t, w.release), filepath.Join(venvs(w.t), w.release, "bin", "litellm"), "--config", "testdata/proxy.yaml", "--host", host, "--port", port)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, w.log, w.log
	require.NoError(w.t, cmd.Start())
	p := &proxy{t: w.t, url: "http://" + w.address, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	w.t.Cleanup(p.kill)
	p.ready()
	return p
}

// ready waits until the proxy takes calls.
func (p *proxy) ready() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	for !alive(ctx, p.url+"/health/liveliness") {
		select {
		case <-ctx.Done():
			require.NoError(p.t, ctx.Err(), "LiteLLM does not start")
		case <-p.done:
			require.Fail(p.t, "LiteLLM ended at its start")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func alive(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// stop ends the proxy with a signal and waits until it is gone.
func (p *proxy) stop(signal syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(signal))
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		require.Fail(p.t, fmt.Sprintf("LiteLLM does not end after %v", signal))
	}
}

// kill ends the proxy as kill -9 does.
func (p *proxy) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
}
