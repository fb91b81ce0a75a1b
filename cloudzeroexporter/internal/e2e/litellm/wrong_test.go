package litellm

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestALiteLLMSetUpWrongIsNoticed sets nothing, so that LiteLLM speaks its first
// dialect and the cost of most calls never leaves it. The collector cannot bill
// that, but says so.
func TestALiteLLMSetUpWrongIsNoticed(t *testing.T) {
	t.Parallel()
	venvs(t)
	forAll(t)
	s := newStation(t, collectorYAML)
	c := s.start()
	w := newWorld(t, newest, overHTTP(c.Addresses)...)
	p := w.start()
	d := w.newDriver(p.url)
	d.sendAll(crowd(d.random, 60), 4)
	d.settled()
	eventually(t, 3*time.Minute, "the collector warns", func() error {
		text, err := os.ReadFile(s.log.Name())
		require.NoError(t, err)
		if !strings.Contains(string(text), `"kind": "no_call"`) {
			return errors.New("not yet")
		}
		return nil
	})
	p.stop(syscall.SIGINT)
	_, err := c.Export(t.Context())
	require.NoError(t, err)
	truth, held := trueBill(t, w.calls()).total(), heldBill(t, s.anycost.Rows()).total()
	assert.Negative(t, held.Cmp(truth), "LiteLLM tells all without a setting now: the README's advice can go")
	t.Logf("of %s dollars, LiteLLM told %s", truth, held)
	stopCollector(t, c)
}
