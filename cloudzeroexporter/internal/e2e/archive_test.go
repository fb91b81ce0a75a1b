package e2e

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// TestOldCallsAreKnownFromTheArchive: the calls are older than a day, so that a
// collector moves their identities to the archive ten seconds after its start. It is
// killed while it does so, moves them the next time, and knows them.
func TestOldCallsAreKnownFromTheArchive(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, "1.106.2-v2")
	for _, td := range capture.Requests {
		backdate(td, 72*time.Hour)
	}
	s := newStage(t)
	c := s.start()
	require.NoError(t, sendAll(t.Context(), c, capture.Requests))
	_, err := c.Export(t.Context())
	require.NoError(t, err)
	s.stop(c)
	require.Empty(t, s.archive())
	posted := captures.Posted(s.anycost.Rows())
	require.Equal(t, capture.Total, s.anycost.Total())

	c = s.start()
	require.Eventually(t, func() bool { return len(s.archive()) > 0 }, time.Minute, time.Millisecond)
	time.Sleep(rand.N(5 * time.Millisecond)) // so that each run ends it elsewhere
	c.Kill()
	c = s.start()
	require.NoError(t, sendAll(t.Context(), c, capture.Requests))
	s.stop(c)
	c = s.start()
	time.Sleep(12 * time.Second) // it moves what is left ten seconds after its start, if anything is
	require.NoError(t, sendAll(t.Context(), c, capture.Requests))
	_, err = c.Export(t.Context())
	require.NoError(t, err)
	assert.Equal(t, posted, captures.Posted(s.anycost.Rows()))
	assert.Equal(t, capture.Total, s.anycost.Total())
	assert.NotContains(t, s.log.String(), "archive")
	s.stop(c)
}

// backdate makes all spans older.
func backdate(td ptrace.Traces, by time.Duration) {
	earlier := func(at pcommon.Timestamp) pcommon.Timestamp {
		return pcommon.NewTimestampFromTime(at.AsTime().Add(-by))
	}
	for _, resource := range td.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				span.SetStartTimestamp(earlier(span.StartTimestamp()))
				span.SetEndTimestamp(earlier(span.EndTimestamp()))
			}
		}
	}
}

// archive are the names of the files of the archive.
func (s *stage) archive() (names []string) {
	s.t.Helper()
	files, err := os.ReadDir(s.storage)
	require.NoError(s.t, err)
	for _, f := range files {
		if strings.Contains(f.Name(), "archive_") {
			names = append(names, f.Name())
		}
	}
	return names
}
