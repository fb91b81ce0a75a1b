package cloudzeroexporter

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// Config is the configuration of the exporter.
type Config struct {
	// HTTP is how AnyCost is reached; its endpoint is the API's base URL.
	HTTP confighttp.ClientConfig `mapstructure:",squash"`
	// APIKey is CloudZero's API key, with the scope to create billing drops.
	APIKey configopaque.String `mapstructure:"api_key"`
	// ConnectionID names the AnyCost Stream connection.
	ConnectionID string `mapstructure:"connection_id"`
	// Storage is the storage extension that keeps the books.
	Storage *component.ID `mapstructure:"storage"`
	// Timezone is the IANA name of the zone in which times without an offset
	// are read and shown. Hours are UTC.
	Timezone string `mapstructure:"timezone"`
	// Export says when hours are posted.
	Export ExportConfig `mapstructure:"export"`
	// Rows says what separates two rows of an hour.
	Rows RowsConfig `mapstructure:"rows"`
	// Instrumentations are the sources whose spans are billed.
	Instrumentations []string `mapstructure:"instrumentations"`
	// Source is the signal that is billed, where the exporter gets both.
	Source source `mapstructure:"source"`
	// Metrics says how metrics are billed.
	Metrics MetricsConfig `mapstructure:"metrics"`
	// Retention is how long an hour stays open for late data.
	Retention time.Duration `mapstructure:"retention"`
	// Limits are what AnyCost takes of one connection.
	Limits LimitsConfig `mapstructure:"limits"`
	// Verify compares what AnyCost holds with what was posted.
	Verify bool `mapstructure:"verify"`
	// DryRun does everything but the post, and needs no credentials.
	DryRun bool `mapstructure:"dry_run"`
	// Console is the address for dry runs and exports on demand; off by default.
	Console configoptional.Optional[ConsoleConfig] `mapstructure:"console"`
}

// ExportConfig says when hours are posted.
type ExportConfig struct {
	// Interval is the time between two rounds, at least a minute.
	Interval time.Duration `mapstructure:"interval"`
	// Settle is how long after its end an hour waits for late data.
	Settle time.Duration `mapstructure:"settle"`
}

// RowsConfig says what separates two rows of an hour.
type RowsConfig struct {
	// SplitBy are the dimensions beyond provider, model and team.
	SplitBy []string `mapstructure:"split_by"`
	// TokenTags adds the hour's token counts as tags.
	TokenTags bool `mapstructure:"token_tags"`
}

// LimitsConfig is what AnyCost takes of one connection, and the memory for
// series. An hour beyond its share has its cheapest rows folded.
// https://docs.cloudzero.com/docs/anycost-stream-getting-started
type LimitsConfig struct {
	// MonthBytes is the size of a month's rows, as uncompressed JSON.
	MonthBytes int `mapstructure:"month_bytes"`
	// MonthRows is the number of a month's rows.
	MonthRows int `mapstructure:"month_rows"`
	// Series is the number of cumulative series of metrics that are kept track of.
	Series int `mapstructure:"series"`
}

// MetricsConfig says how metrics are billed.
type MetricsConfig struct {
	// Earlier says what becomes of what cumulative series had counted when these
	// books began: bill, skip, or auto, which bills it if AnyCost says that it
	// holds no rows of this month and the last one.
	Earlier string `mapstructure:"earlier"`
}

const (
	earlierAuto = "auto"
	earlierBill = "bill"
	earlierSkip = "skip"
)

// ConsoleConfig is the exporter's own address.
type ConsoleConfig struct {
	// HTTP is the server: endpoint, TLS, auth extension, limits.
	HTTP confighttp.ServerConfig `mapstructure:",squash"`
	// Token is asked of every request. Without it, only loopback is served.
	Token configopaque.String `mapstructure:"token"`
}

const (
	defaultEndpoint = "https://api.cloudzero.com"
	// defaultTimeout leaves AnyCost time for 4.5 MB.
	defaultTimeout = 60 * time.Second
	// shortInterval is below what AnyCost recommends.
	shortInterval = time.Hour

	defaultConsoleEndpoint = "localhost:8686"
	maxConsoleBodyBytes    = 1 << 20
)

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Endpoint = defaultEndpoint
	client.Timeout = defaultTimeout
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultConsoleEndpoint
	server.MaxRequestBodySize = maxConsoleBodyBytes
	server.WriteTimeout = 0 // an export answers after its posts
	return &Config{
		HTTP:             client,
		Timezone:         "UTC",
		Export:           ExportConfig{Interval: time.Hour, Settle: 10 * time.Minute},
		Rows:             RowsConfig{SplitBy: []string{cbf.Team, cbf.User}, TokenTags: true},
		Instrumentations: []string{"litellm"},
		Retention:        35 * 24 * time.Hour,
		Verify:           true,
		Limits:           LimitsConfig{MonthBytes: 70_000_000, MonthRows: 1_000_000, Series: 1_000_000},
		Metrics:          MetricsConfig{Earlier: earlierAuto},
		Console:          configoptional.Default(ConsoleConfig{HTTP: server}),
	}
}
