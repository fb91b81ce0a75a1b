package cloudzeroexporter

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// TestSoak lives through 45 days of 300 users, whose rows are more than a month
// takes, with late data, and prints what it takes day by day. `make soak` runs it.
func TestSoak(t *testing.T) {
	t.Parallel()
	if os.Getenv("SOAK") == "" {
		t.Skip("make soak")
	}
	const (
		days  = 45
		users = 300
		calls = 1200 // an hour
	)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sleepUntil(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
		e := r.start()
		var sums []string
		sent := 0
		stored := make([]disk, 0, days)
		for day := range days {
			for range 24 {
				now := time.Now()
				td := ptrace.NewTraces()
				to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
				for i := range calls {
					at := now
					if i%50 == 0 { // late, up to four weeks
						at = now.Add(-time.Duration(i*37%(28*24)) * time.Hour)
					}
					if at.Before(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)) {
						at = now
					}
					sent++
					cost := fmt.Sprintf("0.%06d", i+1)
					addCall(to, at, fmt.Sprintf("team-%d", i%12), fmt.Sprintf("model-%d", i%7), cost)
					span := to.At(to.Len() - 1)
					span.SetTraceID(pcommon.TraceID{byte(sent), byte(sent >> 8), byte(sent >> 16), byte(sent >> 24), 1})
					span.Attributes().PutStr("litellm.metadata.user_api_key_user_id", fmt.Sprintf("user-%d@example.com", i%users))
					sums = append(sums, cost)
				}
				require.NoError(t, e.ConsumeTraces(t.Context(), td))
				pass(time.Hour)
			}
			sums = []string{anycosttest.Sum(sums...)}
			stored = append(stored, r.diskBytes())
			t.Logf("day %2d: RSS %4s MB with the stand-in, storage %5.1f MB and %5.1f MB of archive, %d hours, %d rows, %d identities in memory, %d folded rows",
				day+1, rss(t), float64(stored[day].books)/1e6, float64(stored[day].archive)/1e6, r.gauge("hours"), r.gauge("rows"), r.gauge("identities"), r.gauge("folded_rows"))
		}
		pass(3 * time.Hour)
		assert.Equal(t, sums[0], r.anycost.Total())
		assert.Empty(t, r.anycost.Violations())
		assert.Positive(t, r.gauge("folded_rows"), "the month's 70 MB were reached")
		assert.Less(t, stored[days-1].books, stored[days-8].books*11/10, "the storage does not grow any more")
		assert.Less(t, stored[days-1].archive, stored[days-8].archive*11/10, "nor does the archive")
		assert.Equal(t, 36, r.slots())
		const identity = 8
		assert.Greater(t, stored[days-1].archive, 33*24*calls*identity, "identities of all but the last two days are in the archive")
	})
}

// disk is what lies on one, in bytes.
type disk struct{ books, archive int }

func (r *rig) diskBytes() (d disk) {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	for key, value := range r.disk.values {
		if strings.HasPrefix(key, "archive_") {
			d.archive += len(key) + len(value)
		} else {
			d.books += len(key) + len(value)
		}
	}
	return d
}

// slots is how many slots of the archive there are.
func (r *rig) slots() int {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	names := make(map[string]bool)
	for key := range r.disk.values {
		if name, _, slot := strings.Cut(key, "/"); slot && strings.HasPrefix(name, "archive_") {
			names[name] = true
		}
	}
	return len(names)
}

// rss is the memory that the process takes, in megabytes.
func rss(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "?"
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes := strings.Fields(after)[0]
	return kilobytes[:max(1, len(kilobytes)-3)]
}
