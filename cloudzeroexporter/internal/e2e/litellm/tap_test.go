package litellm

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// tap is an OTLP/HTTP receiver that keeps what LiteLLM sends.
type tap struct {
	address string // host:port

	mu       sync.Mutex // guards requests
	requests []ptrace.Traces
}

// newTap passes on what it keeps to another receiver, unless that is "".
func newTap(t *testing.T, next string) *tap {
	t.Helper()
	tp := &tap{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // LiteLLM was killed
		}
		if next != "" && !passOn(r, next, body) {
			http.Error(w, "the receiver behind the tap is away", http.StatusServiceUnavailable)
			return
		}
		tp.keep(t, r, body)
	}))
	t.Cleanup(server.Close)
	tp.address = strings.TrimPrefix(server.URL, "http://")
	return tp
}

func passOn(r *http.Request, next string, body []byte) bool {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+next+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (tp *tap) keep(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(unzipped)
		require.NoError(t, err)
	}
	request := ptraceotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalProto(body))
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.requests = append(tp.requests, request.Traces())
}

// tapped leaves in the folder $TAP what LiteLLM sends, as OTLP/JSON, and the
// truth beside it: to look at when a test fails. It returns where LiteLLM has to
// send to.
func tapped(t *testing.T, w func() *world, address string) string {
	t.Helper()
	folder := os.Getenv("TAP")
	if folder == "" {
		return address
	}
	tp := newTap(t, address)
	t.Cleanup(func() {
		folder = filepath.Join(folder, strings.ReplaceAll(t.Name(), "/", "_"))
		require.NoError(t, os.MkdirAll(folder, 0o700))
		spans, err := os.Create(filepath.Join(folder, "traces.jsonl"))
		require.NoError(t, err)
		for _, td := range tp.requests {
			line, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalJSON()
			require.NoError(t, err)
			_, err = spans.Write(append(line, '\n'))
			require.NoError(t, err)
		}
		require.NoError(t, spans.Close())
		truth, err := os.ReadFile(w().truth)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "truth.jsonl"), truth, 0o600))
	})
	return tp.address
}
