package litellm

import (
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhatTheSDKComputedIsBilled calls LiteLLM as a library, without a proxy, in
// its synchronous and its asynchronous way. Nobody vouches for teams and users
// there, so the rows have none. The second dialect tells of no synchronous call:
// the README says so, and what to do.
func TestWhatTheSDKComputedIsBilled(t *testing.T) {
	t.Parallel()
	for _, run := range []struct {
		release string
		dialect dialect
		silent  []string // types of calls of which it does not tell
	}{
		{newest, second, []string{"completion", "embedding"}},
		{newest, first, nil},
		{older, first, nil},
	} {
		t.Run(run.release+"/"+run.dialect.name, func(t *testing.T) {
			t.Parallel()
			venvs(t)
			forAll(t)
			s := newStation(t, collectorYAML)
			c := s.start()
			var w *world
			addresses := c.Addresses
			addresses.HTTP = tapped(t, func() *world { return w }, addresses.HTTP)
			w = newWorld(t, run.release, append(slices.Clone(run.dialect.env), overHTTP(addresses)...)...)
			seed := w.newDriver("").random.Uint64() >> 1
			cmd := exec.CommandContext(t.Context(), python(t, run.release), "testdata/sdk.py", w.provider, strconv.FormatUint(seed, 10))
			cmd.Env, cmd.Stdout, cmd.Stderr = w.env, w.log, w.log
			require.NoError(t, cmd.Run(), "see the log of LiteLLM")

			seen := make(map[string]int)
			for _, c := range w.calls() {
				seen[c.Type]++
			}
			for _, what := range []string{"completion", "acompletion", "embedding", "aembedding"} {
				assert.Positive(t, seen[what], "no %s among %v", what, seen)
			}
			calls := s.agrees(c, func() []call {
				return slices.DeleteFunc(w.calls(), func(c call) bool { return slices.Contains(run.silent, c.Type) })
			})
			t.Logf("%v, %s dollars without %v", seen, trueBill(t, calls).total(), run.silent)
			stopCollector(t, c)
		})
	}
}
