package cloudzeroexporter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func loadConfig(t *testing.T, id string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub(id)
	require.NoError(t, err)
	require.NotEmpty(t, sub.ToStringMap(), id)
	cfg := createDefaultConfig().(*Config)
	if err := sub.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfigOfTheReadme(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(t, "cloudzero")
	require.NoError(t, err)
	want := createDefaultConfig().(*Config)
	storage := component.MustNewID("file_storage")
	want.APIKey, want.ConnectionID, want.Storage = "key", "connection", &storage
	assert.Equal(t, want, cfg)
}

func TestConfigWithEverything(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(t, "cloudzero/everything")
	require.NoError(t, err)
	assert.Equal(t, "https://proxy.example.com/cloudzero", cfg.HTTP.Endpoint)
	assert.Equal(t, 2*time.Minute, cfg.HTTP.Timeout)
	assert.Equal(t, ExportConfig{Interval: 30 * time.Minute, Settle: 5 * time.Minute}, cfg.Export)
	assert.Equal(t, RowsConfig{SplitBy: []string{"team", "user", "cost.center"}}, cfg.Rows)
	assert.Equal(t, []string{"litellm", "openinference"}, cfg.Instrumentations)
	assert.Equal(t, sourceMetrics, cfg.Source)
	assert.Equal(t, earlierSkip, cfg.Metrics.Earlier)
	assert.Equal(t, 5000, cfg.Limits.Series)
	assert.Equal(t, 1000*time.Hour, cfg.Retention)
	require.True(t, cfg.Console.HasValue())
	assert.Equal(t, "0.0.0.0:8686", cfg.Console.Get().HTTP.NetAddr.Endpoint)
	assert.Equal(t, "console-token", string(cfg.Console.Get().Token))
}

func TestADryRunNeedsNothing(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(t, "cloudzero/dry_run")
	assert.NoError(t, err)
}

func TestCredentialsCanBeLeftToAConsoleWithAToken(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(t, "cloudzero/set_up_on_console")
	assert.NoError(t, err)
	for _, id := range []string{"cloudzero/no_token", "cloudzero/half_of_the_credentials"} {
		_, err = loadConfig(t, id)
		assert.EqualError(t, err, errMissingCredentials.Error(), id)
	}
}

// TestConfigErrors has the whole text: it is what an operator reads.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"cloudzero/no_credentials": "CloudZero configuration missing. " +
			"Please set CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID environment variables. " +
			"To set both up on the console instead, leave both out and give console::token.",
		"cloudzero/no_storage": "storage: name a storage extension, such as file_storage: " +
			"books that a restart forgets would erase what was posted before; only dry_run: true goes without",
		"cloudzero/source":          `source: "logs" is neither traces nor metrics`,
		"cloudzero/earlier":         `metrics: earlier: "perhaps" is none of auto, bill and skip`,
		"cloudzero/series":          "limits: series: 5 is below 1000, which no LiteLLM fits into",
		"cloudzero/connection":      `connection_id: "a/b" is not a connection id, which has letters, digits and . _ ~ - only`,
		"cloudzero/key":             "api_key: holds spaces, line breaks or other characters that no header takes",
		"cloudzero/endpoint":        `endpoint: "api.cloudzero.com" is not an http or https URL`,
		"cloudzero/compression":     "compression: AnyCost does not document compressed bodies; leave it out",
		"cloudzero/timeout":         "timeout: 0s: a request must end at some time",
		"cloudzero/headers":         "headers: Authorization is the exporter's own",
		"cloudzero/timezone":        "timezone: unknown time zone Mars/Olympus; use UTC or a name such as Europe/Berlin",
		"cloudzero/interval":        "export: interval: 10s is below a minute",
		"cloudzero/settle":          "export: settle: -1s is not between 0s and 24h",
		"cloudzero/split":           `rows: split_by: "team" is named twice`,
		"cloudzero/retention":       "retention: 1h0m0s is too short for late data; use 24h0m0s or more",
		"cloudzero/instrumentation": `instrumentations::0: "langchain" is none of litellm, genai, openllmetry, openinference, openlit`,
		"cloudzero/nothing_to_read": "instrumentations: name at least one, such as litellm",
		"cloudzero/month_bytes":     "limits: month_bytes: 5 is below 1000000, which no month fits into",
		"cloudzero/month_rows":      "limits: month_rows: 5 is below 1000, which no month fits into",
		"cloudzero/console":         "console: token: set a token, or auth, because others can reach 0.0.0.0:8686; localhost goes without",
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(t, id)
			assert.EqualError(t, err, want)
		})
	}
}

func TestAllThatIsWrongIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(t, "cloudzero/all_wrong")
	require.Error(t, err)
	for _, key := range []string{"connection_id", "endpoint", "storage", "timezone", "retention", "export: interval", "rows: split_by"} {
		assert.Contains(t, err.Error(), key+": ")
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	t.Parallel()
	_, err := loadConfig(t, "cloudzero/unknown_key")
	assert.ErrorContains(t, err, "api_kye")
}

func TestSecretsAreOpaque(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(t, "cloudzero/everything")
	require.NoError(t, err)
	conf := confmap.New()
	require.NoError(t, conf.Marshal(cfg))
	assert.Equal(t, "[REDACTED]", conf.Get("api_key"))
	assert.Equal(t, "[REDACTED]", conf.Get("console::token"))
}
