package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// TestAKilledCollectorLosesNothingAndDoublesNothing kills the collector at many
// moments while a client sends a capture again and again and somebody asks for
// exports all the time.
func TestAKilledCollectorLosesNothingAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		capture string
		kills   int
		anycost anycosttest.Config
		faults  bool
		fsync   bool
	}{
		"second dialect": {capture: "1.106.2-v2", kills: 60},
		"first dialect":  {capture: "1.92.2-request-span", kills: 60},
		"hours too large for a body, AnyCost in trouble, fsync": {
			capture: "1.106.2-v1-request-span", kills: 120, faults: true, fsync: true, anycost: anycosttest.Config{MaxBodyBytes: 6000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := c.kills
			capture := loadCapture(t, c.capture)
			effects := make(chan struct{})
			s := newStageWith(t, c.anycost, afterEffect(effects))
			s.options.Env = append(s.options.Env, fmt.Sprint("FSYNC=", c.fsync))
			requests := cut(capture.Requests, 4)
			require.GreaterOrEqual(t, len(requests), kills, "something new for each incarnation")

			ctx, finish := context.WithCancel(t.Context())
			// The addresses stay, so one handle reaches every incarnation.
			service := &otelcol.Collector{Addresses: s.options.Addresses}
			var released atomic.Int64 // how many requests the client may send
			var clients sync.WaitGroup
			clients.Go(func() { sendReleased(ctx, service, requests, &released) })
			clients.Go(func() {
				for ctx.Err() == nil {
					_, _ = service.Export(ctx)
					time.Sleep(time.Millisecond)
				}
			})
			moments := make(map[string]int)
			for i := range kills {
				if c.faults {
					s.anycost.Fail(trouble[i%len(trouble)])
				}
				released.Store(int64(len(requests) * (i + 1) / kills))
				moments[killOnce(t, s, i, effects)]++
			}
			finish()
			clients.Wait()
			s.anycost.Heal()

			c := s.start()
			require.NoError(t, sendAll(t.Context(), c, capture.Requests))
			_, err := c.Export(t.Context())
			require.NoError(t, err)
			assert.Equal(t, capture.Lines(), captures.Posted(s.anycost.Rows()))
			assert.Equal(t, capture.Total, s.anycost.Total())
			assert.Empty(t, s.anycost.Violations())
			assert.Positive(t, moments["post"], "no kill fell between a post and its record")
			t.Logf("killed %v; posted %d times", moments, len(s.anycost.Requests()))
			s.stop(c)
		})
	}
}

// trouble is what AnyCost does while the collector is killed.
var trouble = []anycosttest.Fault{
	{Method: http.MethodPost, DropAfter: true},
	{Method: http.MethodPost, DropBefore: true, Times: 2},
	{Status: http.StatusServiceUnavailable},
	{Method: http.MethodPost, Delay: 20 * time.Millisecond, Times: 5},
	{Status: http.StatusTooManyRequests, RetryAfter: "1"},
}

// sendReleased sends what is released, each request until it is acknowledged,
// and meanwhile repeats what it sent before.
func sendReleased(ctx context.Context, c *otelcol.Collector, requests []ptrace.Traces, released *atomic.Int64) {
	sent := 0
	for ctx.Err() == nil {
		if sent < int(released.Load()) {
			if send(ctx, c, requests[sent]) == nil {
				sent++
			}
			continue
		}
		if sent > 0 {
			_ = c.Send(ctx, requests[rand.N(sent)])
		}
	}
}

// killOnce starts a collector and kills it at some moment, which it returns.
func killOnce(t *testing.T, s *stage, i int, effects <-chan struct{}) (moment string) {
	t.Helper()
	c, err := otelcol.Start(s.options)
	require.NoError(t, err)
	defer c.Kill()
	switch i % 3 {
	case 0: // a storm: also while it reads its books, or before it could
		time.Sleep(rand.N(250 * time.Millisecond))
		return "start"
	case 1: // while commits and posts are under way
		ready(t, c)
		time.Sleep(rand.N(60 * time.Millisecond))
		return "work"
	default: // AnyCost has the hours, the books do not know yet
		ready(t, c)
		select {
		case <-effects:
			return "post"
		case <-time.After(time.Second):
			return "idle"
		}
	}
}

func ready(t *testing.T, c *otelcol.Collector) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.Ready(ctx))
}

// afterEffect tells when AnyCost has a drop and the collector has no answer
// yet; the answer waits a little for the kill.
func afterEffect(effects chan<- struct{}) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			select {
			case effects <- struct{}{}:
				select {
				case <-r.Context().Done():
				case <-time.After(rand.N(20 * time.Millisecond)):
				}
			default:
			}
		})
	}
}

// cut cuts requests into smaller ones, of at most so many spans.
func cut(requests []ptrace.Traces, spans int) (smaller []ptrace.Traces) {
	for _, td := range requests {
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				var to ptrace.SpanSlice
				for i, span := range scope.Spans().All() {
					if i%spans == 0 {
						part := ptrace.NewTraces()
						partResource := part.ResourceSpans().AppendEmpty()
						resource.Resource().CopyTo(partResource.Resource())
						partScope := partResource.ScopeSpans().AppendEmpty()
						scope.Scope().CopyTo(partScope.Scope())
						to = partScope.Spans()
						smaller = append(smaller, part)
					}
					span.CopyTo(to.AppendEmpty())
				}
			}
		}
	}
	return smaller
}
