// Package litellm drives real LiteLLMs, installed from PyPI, against the built
// distribution, and compares what AnyCost holds in the end with what LiteLLM
// itself computed. README.md beside it tells how. `make e2e-litellm` and
// `make e2e-litellm-all` set the environment; without it all tests skip.
package litellm

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const (
	newest = "1.108.7"
	older  = "1.92.2"
	oldest = "1.83.7"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}), goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// venvs is the folder with a virtual environment for each release.
func venvs(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("LITELLM_VENVS")
	if folder == "" {
		t.Skip("LITELLM_VENVS does not name the folder of installed LiteLLMs; `make e2e-litellm` does")
	}
	return folder
}

// forAll skips what takes longer than every change can wait for.
func forAll(t *testing.T) {
	t.Helper()
	if os.Getenv("LITELLM_ALL") == "" {
		t.Skip("only in the full matrix: `make e2e-litellm-all`")
	}
}

// python is the interpreter that has the release.
func python(t *testing.T, release string) string {
	t.Helper()
	path := filepath.Join(venvs(t), release, "bin", "python")
	require.FileExists(t, path, "`make build/litellms/%s/installed` installs it", release)
	return path
}

// binary is the distribution's path.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OTELCOL_CLOUDZERO")
	require.NotEmpty(t, path, "OTELCOL_CLOUDZERO names the built distribution; `make e2e-litellm` does so")
	return path
}

// logFile is where a process logs. A failed test shows its end.
func logFile(t *testing.T, name string) *os.File {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, tail(file, 8000))
		}
		text, err := os.ReadFile(file.Name())
		require.NoError(t, err)
		require.NotContains(t, string(text), apiKey, "in the log of %s", name)
		_ = file.Close()
	})
	return file
}

func tail(file *os.File, most int64) []byte {
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	text := make([]byte, min(info.Size(), most))
	_, _ = file.ReadAt(text, info.Size()-int64(len(text)))
	return text
}
