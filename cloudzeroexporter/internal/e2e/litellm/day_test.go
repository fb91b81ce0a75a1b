package litellm

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// day is real calls, as LiteLLM computed them and as it told of them, moved to
// hours of yesterday.
type day struct {
	start time.Time
	calls [24][]call
	spans [24]ptrace.Traces
}

// liveDay drives a LiteLLM and returns its calls and what it sent of them.
func liveDay(t *testing.T) (calls []call, spans []ptrace.Traces) {
	t.Helper()
	tp := newTap(t, "")
	w := newWorld(t, newest, append(slices.Clone(second.env), overHTTP(otelcol.Addresses{HTTP: tp.address})...)...)
	p := w.start()
	d := w.newDriver(p.url)
	d.everything(300)
	d.settled()
	p.stop(syscall.SIGINT) // which sends what it has
	return w.calls(), tp.requests
}

// move puts each call, and its span, into an hour of yesterday.
func move(calls []call, spans []ptrace.Traces, hour func(*rand.Rand) int) *day {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	moved := &day{start: today.Add(-24 * time.Hour)}
	random := rand.New(rand.NewPCG(1, 1))
	shifts := make(map[string]time.Duration)
	hours := make(map[string]int)
	for _, c := range calls {
		h := hour(random)
		start := time.UnixMicro(int64(c.Start * 1e6)).UTC()
		shift := moved.start.Add(time.Duration(h) * time.Hour).Sub(start.Truncate(time.Hour))
		shifts[c.ID], hours[c.ID] = shift, h
		c.Start += shift.Seconds()
		c.End += shift.Seconds()
		moved.calls[h] = append(moved.calls[h], c)
	}
	var scopes [24]ptrace.SpanSlice
	for h := range moved.spans {
		moved.spans[h] = ptrace.NewTraces()
		scopes[h] = moved.spans[h].ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	}
	for _, td := range spans {
		for _, resource := range td.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					id, ok := span.Attributes().Get("litellm.call_id")
					shift, known := shifts[valueOf(id, ok)]
					if !known {
						continue // of no call: a failed one, a route, a cache
					}
					to := scopes[hours[id.Str()]].AppendEmpty()
					span.CopyTo(to)
					to.SetStartTimestamp(pcommon.NewTimestampFromTime(span.StartTimestamp().AsTime().Add(shift)))
					to.SetEndTimestamp(pcommon.NewTimestampFromTime(span.EndTimestamp().AsTime().Add(shift)))
				}
			}
		}
	}
	return moved
}

func valueOf(v pcommon.Value, ok bool) string {
	if !ok {
		return ""
	}
	return v.Str()
}

func (d *day) all() (calls []call) {
	for _, hour := range d.calls {
		calls = append(calls, hour...)
	}
	return calls
}
