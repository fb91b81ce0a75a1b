package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// validate runs `otelcol-cloudzero validate` as an operator does.
func validate(t *testing.T, config string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), "validate", "--config", config)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func TestTheExamplesAreValid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			out, err := validate(t, file, "CLOUDZERO_API_KEY=key", "CLOUDZERO_CONNECTION_ID=connection",
				"OTELCOL_CLOUDZERO_BOOKS="+t.TempDir(), "OTELCOL_CLOUDZERO_QUEUE="+t.TempDir(),
				"CONSOLE_TOKEN=a token that is long enough")
			assert.NoError(t, err, out)
		})
	}
}

// TestValidateNamesTheKey has one mistake per configuration and wants its key's
// path in what validate says.
func TestValidateNamesTheKey(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]string{
		"exporters::cloudzero: CloudZero configuration missing. Please set CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID environment variables.": `{storage: s}`,
		"exporters::cloudzero: storage: ":                           `{api_key: k, connection_id: c}`,
		"exporters::cloudzero: connection_id: ":                     `{api_key: k, connection_id: a/b, storage: s}`,
		"exporters::cloudzero: endpoint: ":                          `{dry_run: true, endpoint: nowhere}`,
		"exporters::cloudzero: timezone: ":                          `{dry_run: true, timezone: Nowhere/None}`,
		"exporters::cloudzero: retention: ":                         `{dry_run: true, retention: 1m}`,
		"exporters::cloudzero: instrumentations::1: ":               `{dry_run: true, instrumentations: [litellm, x]}`,
		"exporters::cloudzero: source: ":                            `{dry_run: true, source: logs}`,
		"exporters::cloudzero::metrics: earlier: ":                  `{dry_run: true, metrics: {earlier: x}}`,
		"exporters::cloudzero::limits: series: ":                    `{dry_run: true, limits: {series: 1}}`,
		"exporters::cloudzero::export: interval: ":                  `{dry_run: true, export: {interval: 1s}}`,
		"exporters::cloudzero::export: settle: ":                    `{dry_run: true, export: {settle: 48h}}`,
		"exporters::cloudzero::rows: split_by: ":                    `{dry_run: true, rows: {split_by: [user, user]}}`,
		"exporters::cloudzero::console: token: ":                    `{dry_run: true, console: {endpoint: "0.0.0.0:1"}}`,
		"'exporters' error reading configuration for \"cloudzero\"": `{dry_run: true, splitby: [user]}`,
		"invalid keys: splitby":                                     `{dry_run: true, splitby: [user]}`,
		"expected a map":                                            `{dry_run: true, rows: 5}`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			yaml := "{receivers: {otlp: {protocols: {grpc: {}}}}, exporters: {cloudzero: " + config +
				"}, service: {pipelines: {traces: {receivers: [otlp], exporters: [cloudzero]}}}}"
			out, err := validate(t, "yaml:"+yaml)
			require.Error(t, err)
			assert.Contains(t, out, want)
		})
	}
}

// TestProfilesAreNotSupported, where the collector itself has been told to take
// them.
func TestProfilesAreNotSupported(t *testing.T) {
	t.Parallel()
	const config = "yaml:{receivers: {otlp: {protocols: {grpc: {}}}}, exporters: {cloudzero: {dry_run: true}}, " +
		"service: {pipelines: {profiles: {receivers: [otlp], exporters: [cloudzero]}}}}"
	out, err := exec.CommandContext(t.Context(), binary(t), "validate", "--feature-gates=service.profilesSupport", "--config", config).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), `exporter for data type "profiles": telemetry type is not supported`)
}
