package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

// TestTheQuickstart runs what `make run` runs, without credentials, points a
// LiteLLM at it, and ends it with Ctrl-C.
func TestTheQuickstart(t *testing.T) {
	t.Parallel()
	collector := binary(t)
	quickstart := filepath.Join(t.TempDir(), "quickstart")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", quickstart, "../../cmd/quickstart").CombinedOutput()
	require.NoError(t, err, string(built))

	at := otelcoltest.Addresses(t)
	out := new(otelcoltest.Log)
	cmd := exec.CommandContext(t.Context(), quickstart, "-collector", collector, "-capture", captureRoot+"/1.106.2-v2",
		"-grpc", at.GRPC, "-http", at.HTTP, "-console", at.Console, "-health", at.Health, "-poll", "50ms")
	cmd.Env = append(os.Environ(), "CLOUDZERO_API_KEY=", "CLOUDZERO_CONNECTION_ID=")
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	shows(t, out, `Ctrl-C ends it`)

	shows(t, out, `SANDBOX`)
	shows(t, out, `(?m)^HOUR +PROVIDER +MODEL +TEAM +USER +USAGE +COST \(USD\)$`)
	shows(t, out, `(?m)^2026-11-24T03:00:00Z +azure +gpt-4o +team-search +bo +15750 +tokens +0\.0557025$`)
	shows(t, out, `(?m)^Total at AnyCost +0\.38624666 USD\nLiteLLM's own computation 0\.38624666 USD$`)

	other := loadCapture(t, "1.83.7-default")
	service := &otelcol.Collector{Addresses: at}
	require.NoError(t, sendAll(t.Context(), service, other.Requests))
	shows(t, out, `rows that are new or have grown`)

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		require.NoError(t, err, out.String())
	case <-time.After(time.Minute):
		require.Fail(t, "it does not end", out.String())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	assert.Error(t, service.Send(ctx, other.Requests[0]), "the collector ended with it")
}

// shows waits until the pattern is printed.
func shows(t *testing.T, out *otelcoltest.Log, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	require.Eventually(t, func() bool { return want.MatchString(out.String()) }, time.Minute, 20*time.Millisecond,
		"%s is not in what was printed", pattern)
}
