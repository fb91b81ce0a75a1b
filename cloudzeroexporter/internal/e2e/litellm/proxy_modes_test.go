package litellm

import (
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// TestWhatTheProxyComputedIsBilled drives the whole mix of calls through
// LiteLLM's proxy and compares AnyCost with LiteLLM's own figures.
func TestWhatTheProxyComputedIsBilled(t *testing.T) {
	t.Parallel()
	for _, run := range []struct {
		release  string
		dialect  dialect
		protocol string
		always   bool // else in the full matrix only
	}{
		{newest, second, "http", true},
		{newest, first, "http", true},
		{newest, second, "grpc", false},
		{newest, first, "grpc", false},
		{newest, secondOnly, "http", false},
		{newest, firstSemconv, "http", false},
		{older, first, "http", false},
		{older, first, "grpc", false},
		{oldest, first, "http", false},
	} {
		t.Run(run.release+"/"+run.dialect.name+"/"+run.protocol, func(t *testing.T) {
			t.Parallel()
			venvs(t)
			if !run.always {
				forAll(t)
			}
			s := newStation(t, collectorYAML)
			c := s.start()
			var w *world
			addresses := c.Addresses
			addresses.HTTP = tapped(t, func() *world { return w }, addresses.HTTP)
			at := map[string]func(otelcol.Addresses) []string{"http": overHTTP, "grpc": overGRPC}[run.protocol](addresses)
			w = newWorld(t, run.release, append(slices.Clone(run.dialect.env), at...)...)
			p := w.start()
			d := w.newDriver(p.url)
			d.everything(80)
			d.settled()
			assertMixed(t, s.agrees(c, w.calls))
			p.stop(syscall.SIGTERM)
			calls := s.agrees(c, w.calls)
			t.Logf("%d calls, %s dollars", len(calls), trueBill(t, calls).total())
			stopCollector(t, c)
		})
	}
}

// assertMixed says whether the load was what it was meant to be: without it, an
// empty truth would agree with an empty bill.
func assertMixed(t *testing.T, calls []call) {
	t.Helper()
	seen := make(map[string]int)
	for _, c := range calls {
		seen[c.Type]++
		seen["team "+c.Team]++
		if c.CacheHit {
			seen["hit "+c.Type]++
		}
		if c.Stream {
			seen["stream"]++
		}
		if c.zero() {
			seen["no cost"]++
		}
		seen["model "+c.line().Model]++
	}
	for _, what := range []string{
		"acompletion", "aembedding", "aresponses", "anthropic_messages", "aimage_generation", "stream", "no cost",
		"hit acompletion", "hit aembedding", "team team-search", "team team-ads", "team team-ml ops", "team ",
		"model gpt-4o", "model gpt-4o-mini", "model claude-haiku-4-5-20251001", "model our-own-llm", "model unlisted-llm",
	} {
		assert.Positive(t, seen[what], "no call with %q among %v", what, seen)
	}
	assert.Greater(t, len(calls), 120)
}
