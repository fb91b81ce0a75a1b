package e2e

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

// TestASecondCollectorOnTheSameStorageDoesNotStart: two processes would each
// believe the books to be their own.
func TestASecondCollectorOnTheSameStorageDoesNotStart(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, "1.106.2-v2")
	s := newStage(t)
	first := s.start()
	second := s.options
	second.Addresses = otelcoltest.Addresses(t)
	_, port, err := net.SplitHostPort(otelcoltest.Free(t))
	require.NoError(t, err)
	second.Env = append(slices.Clone(second.Env), "METRICS_PORT="+port)
	log := new(otelcoltest.Log)
	second.Log = log
	c, err := otelcol.Start(second)
	require.NoError(t, err)
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		c.Kill()
		require.Fail(t, "it runs on books that are another's")
	}
	assert.Contains(t, log.String(), `storage: open \"file_storage\"`)

	require.NoError(t, sendAll(t.Context(), first, capture.Requests))
	_, err = first.Export(context.Background())
	require.NoError(t, err)
	assert.Equal(t, capture.Lines(), captures.Posted(s.anycost.Rows()))
	s.stop(first)
}
