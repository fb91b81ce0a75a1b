package e2e

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

var priced = []string{
	"1.106.2-v1-request-span", "1.106.2-v1-semconv", "1.106.2-v2", "1.106.2-v2-no-legacy",
	"1.80.17-request-span", "1.83.7-default", "1.83.7-request-span", "1.92.2-request-span",
}

var ways = map[string]func(context.Context, *otelcol.Collector, []ptrace.Traces) error{
	"as recorded": sendAll,
	"every request twice": func(ctx context.Context, c *otelcol.Collector, requests []ptrace.Traces) error {
		for _, td := range requests {
			if err := sendAll(ctx, c, []ptrace.Traces{td, td}); err != nil {
				return err
			}
		}
		return nil
	},
	"in another order": func(ctx context.Context, c *otelcol.Collector, requests []ptrace.Traces) error {
		requests = slices.Clone(requests)
		rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
		return sendAll(ctx, c, requests)
	},
	"four clients at once": func(ctx context.Context, c *otelcol.Collector, requests []ptrace.Traces) error {
		errs := make([]error, 4)
		var clients sync.WaitGroup
		for i := range errs {
			clients.Go(func() {
				for j := i; j < len(requests) && errs[i] == nil; j += len(errs) {
					errs[i] = send(ctx, c, requests[j])
				}
			})
		}
		clients.Wait()
		return errors.Join(errs...)
	},
}

// TestCapturesAreBilledToTheLastDigit sends what real LiteLLMs sent to the
// built collector. Each way has its own collector; the captures have theirs too,
// because their calls overlap.
func TestCapturesAreBilledToTheLastDigit(t *testing.T) {
	t.Parallel()
	for _, name := range priced {
		for way, replay := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				capture := loadCapture(t, name)
				s := newStage(t)
				c := s.start()
				require.NoError(t, replay(t.Context(), c, capture.Requests))

				dry, err := c.DryRun(t.Context())
				require.NoError(t, err)
				exported, err := c.Export(t.Context())
				require.NoError(t, err)
				assert.Equal(t, "success", exported.Status)
				assert.Empty(t, exported.Held)

				assert.Equal(t, capture.Lines(), captures.Posted(s.anycost.Rows()))
				assert.Equal(t, capture.Total, s.anycost.Total())
				assert.Equal(t, capture.Total, dry.Data.Summary.TotalCost.String())
				assert.Len(t, s.anycost.Rows(), dry.Data.Summary.TotalRecords)
				assert.Empty(t, s.anycost.Violations())
				s.stop(c)
			})
		}
	}
}

func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, "1.106.2-v2")
	s := newStage(t)
	half := len(capture.Requests) / 2
	c := s.start()
	require.NoError(t, sendAll(t.Context(), c, capture.Requests[:half]))
	_, err := c.Export(t.Context())
	require.NoError(t, err)
	s.stop(c)

	c = s.start()
	require.NoError(t, sendAll(t.Context(), c, capture.Requests))
	_, err = c.Export(t.Context())
	require.NoError(t, err)
	assert.Equal(t, capture.Lines(), captures.Posted(s.anycost.Rows()))
	s.stop(c)
}

// TestSpansWithoutCostsAreCountedAsUnpriced looks at the collector's own
// metrics, as Prometheus would.
func TestSpansWithoutCostsAreCountedAsUnpriced(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, "1.74.15-default")
	s := newStage(t)
	c := s.start()
	require.NoError(t, sendAll(t.Context(), c, capture.Requests))
	_, err := c.Export(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "0", s.anycost.Total())

	text := scrape(t, s.metrics)
	for _, want := range []string{
		`otelcol_exporter_cloudzero_spans`, `outcome="unpriced"`, `otelcol_exporter_cloudzero_tokens`,
	} {
		assert.Contains(t, text, want)
	}
	assert.Equal(t, "88", sample(text, "otelcol_exporter_cloudzero_spans", `outcome="unpriced"`))
	assert.Equal(t, "4", sample(text, "otelcol_exporter_cloudzero_spans", `outcome="free"`))
	assert.Empty(t, sample(text, "otelcol_exporter_cloudzero_spans", `outcome="billed"`))
	assert.Equal(t, "125099", sample(text, "otelcol_exporter_cloudzero_tokens", `outcome="unpriced"`))
	s.stop(c)
}

func scrape(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// sample is the value of the first sample of a metric that has the label.
func sample(text, metric, label string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metric) && strings.Contains(line, label) {
			fields := strings.Fields(line)
			return fields[len(fields)-1]
		}
	}
	return ""
}
