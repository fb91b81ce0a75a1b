package litellm

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// own is LiteLLM's own integration, in a process of its own.
type own struct {
	t       *testing.T
	anycost *anycosttest.Server
	in      io.Writer
	out     *bufio.Scanner
	rows    int // of its daily table
}

func newOwn(t *testing.T, cfg anycosttest.Config) *own {
	t.Helper()
	cfg.APIKey, cfg.ConnectionID = apiKey, connectionID
	o := &own{t: t, anycost: anycosttest.New(cfg)}
	t.Cleanup(o.anycost.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// CloudZero's reference asks for the bare key; LiteLLM sends a bearer token.
		// Its rows are what is compared here, so the stand-in lets that pass.
		r.Header.Set("Authorization", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		o.anycost.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	log := logFile(t, "LiteLLM's own integration")
	cmd := exec.CommandContext(t.Context(), python(t, newest), "testdata/cloudzero.py", server.URL)
	cmd.Env = append(neutral(os.Environ()), "CLOUDZERO_API_KEY="+apiKey, "CLOUDZERO_CONNECTION_ID="+connectionID,
		"LITELLM_LOCAL_MODEL_COST_MAP=True", "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=*")
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	o.in, o.out = in, bufio.NewScanner(out)
	return o
}

// ask sends a request and returns the error that LiteLLM had with it, or "".
func (o *own) ask(request map[string]any) string {
	o.t.Helper()
	require.NoError(o.t, json.NewEncoder(o.in).Encode(request))
	require.True(o.t, o.out.Scan(), "LiteLLM's integration ended: %v", o.out.Err())
	var answer struct {
		Error string `json:"error"`
		Rows  int    `json:"rows"`
	}
	require.NoError(o.t, json.Unmarshal(o.out.Bytes(), &answer), "%s", o.out.Bytes())
	o.rows = answer.Rows
	return answer.Error
}
