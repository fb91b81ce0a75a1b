package cloudzeroexporter

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

var update = flag.Bool("update", false, "rewrite the golden rows")

// golden is what is expected of a case: what became of its spans or points, and
// the rows that AnyCost holds.
type golden struct {
	Outcomes map[string]int64  `json:"outcomes"`
	Total    string            `json:"total"`
	Rows     []anycosttest.Row `json:"rows"`
}

// TestGolden turns the telemetry of each folder into rows. A folder has
// traces.json or metrics.json, config.yaml, whose first line says what it is
// about, and expected.json, which `make golden` writes.
func TestGolden(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/golden/*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			got := runGolden(t, folder)
			file := filepath.Join(folder, "expected.json")
			if *update {
				text, err := json.MarshalIndent(got, "", "  ")
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o600))
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var want golden
			require.NoError(t, json.Unmarshal(text, &want))
			assert.Equal(t, want, got)
		})
	}
}

func runGolden(t *testing.T, folder string) (g golden) {
	yaml, err := os.ReadFile(filepath.Join(folder, "config.yaml"))
	require.NoError(t, err)
	retrieved, err := confmap.NewRetrievedFromYAML(yaml)
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		require.NoError(t, conf.Unmarshal(r.cfg))
		r.cfg.Retention = 10 * 365 * 24 * r.cfg.Export.Interval
		sleepUntil(afterCaptures)
		of := sendGolden(t, r, folder)
		pass(2 * r.cfg.Export.Interval)
		assert.Empty(t, r.anycost.Violations())
		g = golden{r.outcomes(of), r.anycost.Total(), r.anycost.Rows()}
	})
	return g
}

// sendGolden sends the case's telemetry and returns what it consists of.
func sendGolden(t *testing.T, r *rig, folder string) (of string) {
	if text, err := os.ReadFile(filepath.Join(folder, "metrics.json")); err == nil {
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(text)
		require.NoError(t, err)
		require.NoError(t, r.startMetrics().ConsumeMetrics(t.Context(), md))
		return "points"
	}
	text, err := os.ReadFile(filepath.Join(folder, "traces.json"))
	require.NoError(t, err)
	td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
	require.NoError(t, err)
	require.NoError(t, r.start().ConsumeTraces(t.Context(), td))
	return "spans"
}
