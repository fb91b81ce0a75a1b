package litellm

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// TestWhatLiteLLMLosesWhenItStops shows which signal lets LiteLLM send what is
// in its span processor's queue: the README tells people which one to use.
func TestWhatLiteLLMLosesWhenItStops(t *testing.T) {
	t.Parallel()
	for _, run := range []struct {
		signal  syscall.Signal
		dialect dialect
		sends   bool
	}{
		{syscall.SIGINT, second, true},
		{syscall.SIGINT, first, true},
		{syscall.SIGTERM, second, false},
		{syscall.SIGTERM, first, false},
	} {
		t.Run(run.signal.String()+"/"+run.dialect.name, func(t *testing.T) {
			t.Parallel()
			venvs(t)
			forAll(t)
			s := newStation(t, collectorYAML)
			c := s.start()
			env := append(slices.Clone(run.dialect.env), overHTTP(c.Addresses)...)
			w := newWorld(t, newest, append(env, "OTEL_BSP_SCHEDULE_DELAY=600000")...)
			p := w.start()
			d := w.newDriver(p.url)
			d.sendAll(crowd(d.random, 5), 1)
			d.settled()
			p.stop(run.signal)

			if run.sends {
				s.agrees(c, w.calls)
			} else {
				_, err := c.Export(t.Context())
				require.NoError(t, err)
				assert.Empty(t, s.anycost.Rows(), "LiteLLM sends its last spans now: the README's advice can go")
			}
			stopCollector(t, c)
		})
	}
}

// TestLiteLLMGivesUpAfterSeconds has no collector for a while: what LiteLLM's
// exporter gives up is why an edge collector stands in front in production.
func TestLiteLLMGivesUpAfterSeconds(t *testing.T) {
	t.Parallel()
	venvs(t)
	forAll(t)
	s := newStation(t, collectorYAML)
	env := append(slices.Clone(second.env), overHTTP(s.options.Addresses)...)
	w := newWorld(t, newest, append(env, "OTEL_EXPORTER_OTLP_TIMEOUT=10")...) // its default
	p := w.start()
	d := w.newDriver(p.url)
	d.sendAll(crowd(d.random, 5), 1)
	eventually(t, 2*time.Minute, "LiteLLM gives up", func() error {
		if len(w.sent().givenUp) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	c := s.start()
	d.sendAll(crowd(d.random, 5), 1)
	d.settled()
	p.stop(syscall.SIGINT)

	calls := s.agrees(c, func() []call {
		arrived := w.sent().acknowledged
		return slices.DeleteFunc(w.calls(), func(c call) bool { return !arrived[c.ID] })
	})
	assert.NotEmpty(t, calls)
	assert.Less(t, len(calls), len(w.calls()), "LiteLLM loses nothing now: the README's advice can go")
	stopCollector(t, c)
}

// TestLiteLLMWaitsForACollector has no collector for longer than LiteLLM waits by
// default, and then one that does not answer for as long. Nothing is lost when
// LiteLLM is told to wait.
func TestLiteLLMWaitsForACollector(t *testing.T) {
	t.Parallel()
	venvs(t)
	forAll(t)
	const away = 13 * time.Second
	for name, at := range map[string]func(otelcol.Addresses) []string{"http": overHTTP, "grpc": overGRPC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, collectorYAML)
			w := newWorld(t, newest, append(slices.Clone(second.env), at(s.options.Addresses)...)...)
			p := w.start()
			d := w.newDriver(p.url)
			d.sendAll(crowd(d.random, 5), 1)
			time.Sleep(away)
			c := s.start()
			s.agrees(c, w.calls)
			require.NoError(t, syscall.Kill(c.PID(), syscall.SIGSTOP))
			d.sendAll(crowd(d.random, 5), 1)
			time.Sleep(away)
			require.NoError(t, syscall.Kill(c.PID(), syscall.SIGCONT))
			d.settled()
			assert.NotEmpty(t, s.agrees(c, w.calls))
			assert.Empty(t, w.sent().givenUp)
			p.stop(syscall.SIGINT)
			stopCollector(t, c)
		})
	}
}

// TestBurstsNeedAQueue has a collector that does not answer while more calls come
// than a small queue of LiteLLM's span processor holds.
func TestBurstsNeedAQueue(t *testing.T) {
	t.Parallel()
	venvs(t)
	forAll(t)
	for _, run := range []struct {
		spans string
		loses bool
	}{
		{"512", true}, // the smallest that OpenTelemetry takes
		{"65536", false},
	} {
		t.Run(run.spans, func(t *testing.T) {
			t.Parallel()
			s := newStation(t, collectorYAML)
			c := s.start()
			env := append(slices.Clone(second.env), overHTTP(c.Addresses)...)
			w := newWorld(t, newest, append(env, "OTEL_BSP_MAX_QUEUE_SIZE="+run.spans)...)
			p := w.start()
			d := w.newDriver(p.url)
			require.NoError(t, syscall.Kill(c.PID(), syscall.SIGSTOP))
			d.sendAll(crowd(d.random, 200), 8)
			d.settled()
			require.NoError(t, syscall.Kill(c.PID(), syscall.SIGCONT))
			arrived := func() []call {
				acknowledged := w.sent().acknowledged
				return slices.DeleteFunc(w.calls(), func(c call) bool { return !acknowledged[c.ID] })
			}
			p.stop(syscall.SIGINT)
			if run.loses {
				assert.Less(t, len(s.agrees(c, arrived)), len(w.calls()), "LiteLLM loses nothing now: the README's advice can go")
			} else {
				s.agrees(c, w.calls)
			}
			stopCollector(t, c)
		})
	}
}
