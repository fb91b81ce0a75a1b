// Command quickstart runs otelcol-cloudzero: against CloudZero if the
// environment has credentials, else in a sandbox with a stand-in for it.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

//go:embed collector.yaml
var config string

// options are the flags.
type options struct {
	collector, capture, data string
	addresses                otelcol.Addresses
	poll                     time.Duration
	out, log                 io.Writer
}

func main() {
	o := options{addresses: otelcol.DefaultAddresses(), out: os.Stdout, log: os.Stderr}
	flag.StringVar(&o.collector, "collector", "build/otelcol-cloudzero", "the built distribution")
	flag.StringVar(&o.capture, "capture", "testdata/captures/1.106.2-v2", "the recorded traffic that the sandbox replays")
	flag.StringVar(&o.data, "data", "data", "where the books are kept when real money is billed")
	flag.StringVar(&o.addresses.GRPC, "grpc", o.addresses.GRPC, "where OTLP/gRPC is taken")
	flag.StringVar(&o.addresses.HTTP, "http", o.addresses.HTTP, "where OTLP/HTTP is taken")
	flag.StringVar(&o.addresses.Console, "console", o.addresses.Console, "where exports and dry runs are asked for")
	flag.StringVar(&o.addresses.Health, "health", o.addresses.Health, "where the collector tells that it is well")
	flag.DurationVar(&o.poll, "poll", 5*time.Second, "how often the sandbox posts what came")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) error {
	key, connection := os.Getenv("CLOUDZERO_API_KEY"), os.Getenv("CLOUDZERO_CONNECTION_ID")
	switch {
	case key != "" && connection != "":
		return o.runReal(ctx)
	case key == "" && connection == "":
		return o.runSandbox(ctx)
	default:
		return errors.New("set both CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID to bill for real, or none of them for a sandbox")
	}
}

// runReal runs the collector until somebody ends it.
func (o *options) runReal(ctx context.Context) error {
	endpoint := os.Getenv("CLOUDZERO_ENDPOINT")
	if endpoint == "" {
		endpoint = "https://api.cloudzero.com"
	}
	c, err := o.start(ctx, endpoint, o.data, "840h", "info")
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "\nThis is real: what arrives is billed to %s. The books are in %s/; keep them.\n", endpoint, o.data)
	o.sayWhereToSend()
	return o.wait(ctx, c, nil)
}

// start starts the collector and waits until it takes data.
func (o *options) start(ctx context.Context, endpoint, storage, retention, level string, env ...string) (*otelcol.Collector, error) {
	if err := o.checkAddresses(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(storage, 0o750); err != nil {
		return nil, err
	}
	c, err := otelcol.Start(otelcol.Options{
		Binary: o.collector, Config: config, Addresses: o.addresses, Log: o.log,
		Env: append(env, "CLOUDZERO_ENDPOINT="+endpoint, "STORAGE="+storage, "RETENTION="+retention, "LOG_LEVEL="+level),
	})
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := c.Ready(waiting); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// wait does something every now and then until the collector or ctx ends, and
// ends the collector.
func (o *options) wait(ctx context.Context, c *otelcol.Collector, do func(context.Context)) error {
	ticker := time.NewTicker(o.poll)
	defer ticker.Stop()
	for {
		select {
		case <-c.Done():
			return errors.New("the collector ended; see above why")
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			fmt.Fprintln(o.out, "\nStopping.")
			return c.Stop(grace)
		case <-ticker.C:
			if do != nil {
				do(ctx)
			}
		}
	}
}

func (o *options) sayWhereToSend() {
	fmt.Fprintf(o.out, `
Point LiteLLM here (litellm_settings: {callbacks: ["otel"]} in its configuration), and start it with

  LITELLM_OTEL_V2=true    (before mid 2026: USE_OTEL_LITELLM_REQUEST_SPAN=true)
  OTEL_EXPORTER=otlp_http
  OTEL_ENDPOINT=http://%s/v1/traces

Look at the books:           http://%s/
To post at once:             curl -X POST http://%s/cloudzero/export
To see what would be posted: curl -X POST http://%s/cloudzero/dry-run
Ctrl-C ends it.
`, o.addresses.HTTP, o.addresses.Console, o.addresses.Console, o.addresses.Console)
}
