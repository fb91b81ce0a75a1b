package litellm

import (
	_ "embed"
	"slices"
	"syscall"
	"testing"
)

//go:embed testdata/metrics.yaml
var metricsYAML string

// TestWhatMetricsTellIsBilled bills LiteLLM's metrics instead of its spans. A
// point's hour is that of its export, so hours are not compared.
func TestWhatMetricsTellIsBilled(t *testing.T) {
	t.Parallel()
	for _, run := range []struct {
		release string
		dialect dialect
	}{
		{newest, second},
		{newest, first},
		{older, first},
	} {
		t.Run(run.release+"/"+run.dialect.name, func(t *testing.T) {
			t.Parallel()
			venvs(t)
			forAll(t)
			s := newStation(t, metricsYAML)
			s.hours = false
			c := s.start()
			env := append(slices.Clone(run.dialect.env), overHTTP(c.Addresses)...)
			w := newWorld(t, run.release, append(env, "LITELLM_OTEL_INTEGRATION_ENABLE_METRICS=true", "OTEL_METRIC_EXPORT_INTERVAL=500")...)
			p := w.start()
			d := w.newDriver(p.url)
			d.everything(80)
			d.settled()
			s.agrees(c, w.calls)
			p.stop(syscall.SIGINT)
			calls := s.agrees(c, w.calls)
			assertMixed(t, calls)
			t.Logf("%d calls, %s dollars", len(calls), trueBill(t, calls).total())
			stopCollector(t, c)
		})
	}
}
