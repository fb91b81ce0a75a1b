package leaks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestTracestatesOfSampling(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"ot=th:c":                       true, // one of four is kept
		"ot=th:fffc;rv:6e6d1a75832a2f":  true,
		"vendor=x, ot=rv:00000000;th:8": true,
		"ot=p:8;r:62":                   true,
		"ot=th:0":                       false, // all are kept
		"ot=th:00;rv:6e6d1a75832a2f":    false,
		"ot=p:0;r:10":                   false,
		"ot=rv:6e6d1a75832a2f":          false, // randomness for others to use
		"ot=r:62":                       false,
		"":                              false,
		"vendor=th:8":                   false,
		"ot=foo:bar":                    false,
		"ot":                            false,
	} {
		assert.Equal(t, want, isSampledState(state), state)
	}
}

func TestAttributesOfSampling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key   string
		value any
		want  bool
	}{
		{"sampling.probability", 0.25, true},
		{"sampling.probability", 1.0, false},
		{"sampling.probability", "0.1", true},
		{"sampling.rule", "cheap-routes", true},
		{"sampling.rule", "", false},
		{"sampling.threshold", "c", true},
		{"sampling.threshold", "0", false},
		{"sampling.randomness", "6e6d1a75832a2f", false},
		{"sampling.priority", 1, false},
		{"SampleRate", 8, true},
		{"SampleRate", 1, false},
		{"sampler.param", 0.001, true},
		{"sampler.param", 1, false},
		{"sampler.param", true, false},
		{"sampler.type", "ratelimiting", true},
		{"sampler.type", "const", false},
		{"tailsampling.policy", "errors", true},
		{"gen_ai.request.model", "gpt-4o", false},
	} {
		value := pcommon.NewValueEmpty()
		require.NoError(t, value.FromRaw(c.value))
		assert.Equal(t, c.want, isSamplingMark(c.key, value), "%s: %v", c.key, c.value)
	}
}

func TestSampledSpansAreFound(t *testing.T) {
	t.Parallel()
	for name, see := range map[string]func(*Batch){
		"calls by their tracestate": func(b *Batch) {
			call := callRecord(newTrace(), mark2)
			call.Span.TraceState().FromRaw("ot=th:8")
			b.Call(call)
		},
		"calls by an attribute of one of a batch": func(b *Batch) {
			call := callRecord(newTrace(), mark2)
			call.Span.Attributes().PutInt("SampleRate", 10)
			b.Call(call)
		},
		"requests by an attribute": func(b *Batch) {
			id := newTrace()
			b.Call(callRecord(id, mark2))
			request := requestSpan(id)
			request.Attributes().PutDouble("sampler.param", 0.1)
			b.Server(request)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				for range leastMarked - 1 {
					r.seeing(see)
				}
				pass(judgeEvery)
				assert.Empty(t, r.kinds())
				r.seeing(see)
				pass(judgeEvery)
				assert.Equal(t, []string{"sampled"}, r.kinds())
				assert.Equal(t, "5 of LiteLLM's last spans are marked as sampled, so that others were left out.", r.Warnings()[0].What)
			})
		})
	}
}

func TestSpansOfOtherServersMayBeSampled(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		for range 100 {
			r.seeing(func(b *Batch) {
				request := requestSpan(newTrace())
				request.Attributes().PutStr("http.route", "/api/cart")
				request.Attributes().PutDouble("sampling.probability", 0.1)
				request.TraceState().FromRaw("ot=th:c")
				b.Server(request)
			})
		}
		pass(2 * time.Minute)
		assert.Empty(t, r.kinds())
	})
}
