package cloudzeroexporter

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // slim containers have no time zones

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

var (
	_                   component.Config  = (*Config)(nil)
	_                   confmap.Validator = (*Config)(nil)
	connectionIDPattern                   = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	// errMissingCredentials begins with LiteLLM's sentence, which people search for.
	errMissingCredentials = errors.New("CloudZero configuration missing. " +
		"Please set CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID environment variables. " +
		"To set both up on the console instead, leave both out and give console::token.")
	errUseZone = errors.New("use UTC or a name such as Europe/Berlin")
)

// Validate implements [confmap.Validator]. It names all that is wrong, each
// with its key.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateConnection(),
		c.validateStorage(),
		keyError("timezone", c.validateTimezone()),
		c.validateInstrumentations(),
		keyError("source", c.Source.validate()),
		c.validateRetention(),
	)
}

func (c *Config) validateConnection() error {
	var errs []error
	switch {
	case c.DryRun, c.setUpOnConsole():
	case c.APIKey == "" || c.ConnectionID == "":
		errs = append(errs, errMissingCredentials)
	default:
		errs = append(errs, keyError("connection_id", validateConnectionID(c.ConnectionID)))
	}
	if c.APIKey != "" {
		errs = append(errs, keyError("api_key", validateAPIKey(string(c.APIKey))))
	}
	u, err := url.Parse(c.HTTP.Endpoint)
	switch {
	case err != nil:
		errs = append(errs, keyError("endpoint", errors.New("is not a URL")))
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		errs = append(errs, keyError("endpoint", fmt.Errorf("%q is not an http or https URL", u.Redacted())))
	}
	if c.HTTP.Compression.IsCompressed() {
		errs = append(errs, keyError("compression", errors.New("AnyCost does not document compressed bodies; leave it out")))
	}
	if c.HTTP.Timeout <= 0 {
		errs = append(errs, keyError("timeout", fmt.Errorf("%s: a request must end at some time", c.HTTP.Timeout)))
	}
	for _, header := range []string{"Authorization", "Content-Type", "Content-Encoding"} {
		if _, set := c.HTTP.Headers.Get(header); set {
			errs = append(errs, keyError("headers", fmt.Errorf("%s is the exporter's own", header)))
		}
	}
	return errors.Join(errs...)
}

// setUpOnConsole says whether the credentials are left to be given on the
// console, which must know who gives them.
func (c *Config) setUpOnConsole() bool {
	return c.APIKey == "" && c.ConnectionID == "" && c.Console.HasValue() && c.Console.Get().Token != ""
}

func validateConnectionID(id string) error {
	if id == "" {
		return errors.New("is empty")
	}
	if !connectionIDPattern.MatchString(id) {
		return fmt.Errorf("%q is not a connection id, which has letters, digits and . _ ~ - only", id)
	}
	return nil
}

func validateAPIKey(key string) error {
	if key == "" {
		return errors.New("is empty")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("holds spaces, line breaks or other characters that no header takes")
	}
	return nil
}

// validateZone takes "" for no zone of one's own.
func validateZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil {
		return fmt.Errorf("%w; %w", err, errUseZone)
	}
	return nil
}

func (c *Config) validateStorage() error {
	if c.Storage == nil && !c.DryRun {
		return keyError("storage", errors.New("name a storage extension, such as file_storage: "+
			"books that a restart forgets would erase what was posted before; only dry_run: true goes without"))
	}
	return nil
}

func (c *Config) validateTimezone() error {
	if c.Timezone == "" {
		return fmt.Errorf("is empty; %w", errUseZone)
	}
	return validateZone(c.Timezone)
}

func (c *Config) validateInstrumentations() error {
	if len(c.Instrumentations) == 0 {
		return keyError("instrumentations", errors.New("name at least one, such as litellm"))
	}
	_, err := c.instrumentations()
	return err
}

func (c *Config) instrumentations() ([]usage.Instrumentation, error) {
	parsed := make([]usage.Instrumentation, len(c.Instrumentations))
	for i, name := range c.Instrumentations {
		var err error
		if parsed[i], err = usage.ParseInstrumentation(name); err != nil {
			return nil, keyError(fmt.Sprintf("instrumentations::%d", i), err)
		}
	}
	return parsed, nil
}

func (c *Config) validateRetention() error {
	if least := 24 * time.Hour; c.Retention < least {
		return keyError("retention", fmt.Errorf("%s is too short for late data; use %s or more", c.Retention, least))
	}
	return nil
}

// Validate implements [confmap.Validator].
func (c *ExportConfig) Validate() error {
	var errs []error
	if c.Interval < time.Minute {
		errs = append(errs, keyError("interval", fmt.Errorf("%s is below a minute", c.Interval)))
	}
	if c.Settle < 0 || c.Settle > 24*time.Hour {
		errs = append(errs, keyError("settle", fmt.Errorf("%s is not between 0s and 24h", c.Settle)))
	}
	return errors.Join(errs...)
}

// Validate implements [confmap.Validator].
func (c *LimitsConfig) Validate() error {
	var errs []error
	if least := 1_000_000; c.MonthBytes < least {
		errs = append(errs, keyError("month_bytes", fmt.Errorf("%d is below %d, which no month fits into", c.MonthBytes, least)))
	}
	if least := 1_000; c.MonthRows < least {
		errs = append(errs, keyError("month_rows", fmt.Errorf("%d is below %d, which no month fits into", c.MonthRows, least)))
	}
	if least := 1_000; c.Series < least {
		errs = append(errs, keyError("series", fmt.Errorf("%d is below %d, which no LiteLLM fits into", c.Series, least)))
	}
	return errors.Join(errs...)
}

// Validate implements [confmap.Validator].
func (c *MetricsConfig) Validate() error {
	if c.Earlier != earlierAuto && c.Earlier != earlierBill && c.Earlier != earlierSkip {
		return keyError("earlier", fmt.Errorf("%q is none of %s, %s and %s", c.Earlier, earlierAuto, earlierBill, earlierSkip))
	}
	return nil
}

// Validate implements [confmap.Validator].
func (c *RowsConfig) Validate() error {
	_, err := cbf.NewLayout(c.SplitBy)
	return keyError("split_by", err)
}

// Validate implements [confmap.Validator].
func (c *ConsoleConfig) Validate() error {
	if endpoint := c.HTTP.NetAddr.Endpoint; !console.IsLoopback(endpoint) && c.Token == "" && !c.HTTP.Auth.HasValue() {
		return keyError("token", fmt.Errorf("set a token, or auth, because others can reach %s; localhost goes without", endpoint))
	}
	return nil
}

func keyError(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}
