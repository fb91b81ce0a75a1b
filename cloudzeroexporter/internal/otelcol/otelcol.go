// Package otelcol runs the built distribution as a child process, for the
// quickstart and for tests from end to end.
package otelcol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Addresses are where the collector listens, as host:port.
type Addresses struct{ GRPC, HTTP, Console, Health string }

// DefaultAddresses are those that LiteLLM and people expect.
func DefaultAddresses() Addresses {
	return Addresses{GRPC: "localhost:4317", HTTP: "localhost:4318", Console: "localhost:8686", Health: "localhost:13133"}
}

// Env are the variables by which a configuration finds the addresses.
func (a Addresses) Env() []string {
	return []string{"OTLP_GRPC=" + a.GRPC, "OTLP_HTTP=" + a.HTTP, "CONSOLE=" + a.Console, "HEALTH=" + a.Health}
}

// Collector is a running collector.
type Collector struct {
	Addresses
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; valid after done
}

// Options say how a collector is started.
type Options struct {
	// Binary is the path of the distribution.
	Binary string
	// Config is the configuration, in YAML.
	Config string
	// Env is added to this process's environment.
	Env []string
	// Log takes what the collector logs.
	Log io.Writer
	Addresses
}

// Start starts the collector. Its goroutine ends with the process.
func Start(o Options) (*Collector, error) {
	cmd := exec.Command(o.Binary, "--config", "env:OTELCOL_CONFIG") //nolint:gosec,noctx // who starts it names it, and ends it with Stop or Kill
	cmd.Env = append(append(append(os.Environ(), o.Addresses.Env()...), o.Env...), "OTELCOL_CONFIG="+o.Config)
	cmd.Stdout, cmd.Stderr = o.Log, o.Log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Collector{Addresses: o.Addresses, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = cmd.Wait()
	}()
	return c, nil
}

// Done is closed when the process has ended.
func (c *Collector) Done() <-chan struct{} { return c.done }

// PID is the number of the process.
func (c *Collector) PID() int { return c.cmd.Process.Pid }

// Ready waits until the collector takes data.
func (c *Collector) Ready(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if c.healthy(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return fmt.Errorf("the collector ended: %w", errors.Join(errors.New("see what it logged"), c.err))
		case <-ticker.C:
		}
	}
}

func (c *Collector) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Health, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

// Stop asks the collector to shut down, waits until it has, and returns how
// that went.
func (c *Collector) Stop(ctx context.Context) error {
	_ = c.cmd.Process.Signal(os.Interrupt) // it may be gone already
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		c.Kill()
		return ctx.Err()
	}
}

// Kill ends the process at once, as kill -9 does.
func (c *Collector) Kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// Send sends a request of spans over OTLP/HTTP once. An error says that it is
// not acknowledged.
func (c *Collector) Send(ctx context.Context, td ptrace.Traces) error {
	return c.send(ctx, "/v1/traces", ptraceotlp.NewExportRequestFromTraces(td))
}

// SendMetrics sends a request of metrics, likewise.
func (c *Collector) SendMetrics(ctx context.Context, md pmetric.Metrics) error {
	return c.send(ctx, "/v1/metrics", pmetricotlp.NewExportRequestFromMetrics(md))
}

func (c *Collector) send(ctx context.Context, path string, request interface{ MarshalProto() ([]byte, error) }) error {
	body, err := request.MarshalProto()
	if err != nil {
		return err
	}
	_, err = post(ctx, "http://"+c.HTTP+path, "application/x-protobuf", body)
	return err
}

// Export is the answer of POST /cloudzero/export.
type Export struct {
	Message string       `json:"message"`
	Status  string       `json:"status"`
	Posted  []ExportHour `json:"posted"`
	Held    []ExportHour `json:"held"`
}

// ExportHour is an hour in that answer.
type ExportHour struct {
	Hour   string `json:"hour"`
	Rows   int    `json:"rows"`
	Cost   string `json:"cost"`
	Reason string `json:"reason"`
}

// Export asks the collector to post everything now.
func (c *Collector) Export(ctx context.Context) (answer Export, err error) {
	err = c.console(ctx, "/cloudzero/export", &answer)
	return answer, err
}

// DryRun is the answer of POST /cloudzero/dry-run.
type DryRun struct {
	Status string `json:"status"`
	Data   struct {
		CBFData []map[string]string `json:"cbf_data"`
		Summary struct {
			TotalCost    json.Number `json:"total_cost"`
			TotalTokens  int64       `json:"total_tokens"`
			TotalRecords int         `json:"total_records"`
		} `json:"summary"`
	} `json:"dry_run_data"`
}

// DryRun asks the collector what an export would post.
func (c *Collector) DryRun(ctx context.Context) (answer DryRun, err error) {
	err = c.console(ctx, "/cloudzero/dry-run", &answer)
	return answer, err
}

func (c *Collector) console(ctx context.Context, path string, answer any) error {
	body, err := post(ctx, "http://"+c.Console+path, "application/json", nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, answer)
}

func post(ctx context.Context, url, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %s: %s", url, response.Status, answer)
	}
	return answer, err
}
