package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

// TestAnotherCollectorIsLeftAlone: it would answer, and be sent the sandbox's
// calls.
func TestAnotherCollectorIsLeftAlone(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Fail(t, "the other one was asked", r.URL.Path)
	}))
	t.Cleanup(other.Close)
	taken := other.Listener.Addr().String()
	storage := filepath.Join(t.TempDir(), "data")
	o := options{
		collector: "no-collector", data: storage,
		addresses: otelcol.Addresses{GRPC: otelcoltest.Free(t), HTTP: taken, Console: otelcoltest.Free(t), Health: taken},
	}
	_, err := o.start(t.Context(), "http://localhost:1", storage, "840h", "info")
	require.ErrorContains(t, err, taken)
	assert.ErrorContains(t, err, "End it, or choose other addresses with -http, -health: ")
	assert.NoDirExists(t, storage)
}
