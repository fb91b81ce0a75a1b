package cloudzeroexporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// consoleGrace is how long a shutdown waits for requests that are under way.
const consoleGrace = 5 * time.Second

// consoleServer serves the console until shutdown. Its goroutines end with it.
type consoleServer struct {
	server *http.Server
	cool   context.CancelFunc // ends the warming
	ended  sync.WaitGroup
}

func startConsole(ctx context.Context, host component.Host, e *cloudzeroExporter) (*consoleServer, error) {
	cfg := e.cfg.Console.Get()
	handler := console.Handler(console.Options{
		Current:  e.exports,
		Format:   e.format,
		Token:    e.token,
		Loopback: console.IsLoopback(cfg.HTTP.NetAddr.Endpoint),
		Logger:   e.set.Logger,
	})
	server, err := cfg.HTTP.ToServer(ctx, host.GetExtensions(), e.set.TelemetrySettings, handler)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	listener, err := cfg.HTTP.ToListener(ctx)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	c := &consoleServer{server: server}
	warming, cool := context.WithCancel(context.WithoutCancel(ctx))
	c.cool = cool
	c.ended.Go(func() { handler.Warm(warming) })
	c.ended.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("console: %w", err)))
		}
	})
	e.set.Logger.Info("The console listens", zap.Stringer("address", listener.Addr()))
	return c, nil
}

// exports is the exporter as the console sees it, with the connection that is set
// up at the time.
type exports struct {
	*shipper.Shipper
	connection connection
	exporter   *cloudzeroExporter
}

var _ console.Exports = (*exports)(nil)

func (e *cloudzeroExporter) exports() console.Exports {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.view
}

// viewOf is what the console sees of a connection. It is the same as long as the
// connection is, so that what was added up of its books can be remembered.
func (e *cloudzeroExporter) viewOf(c connection) *exports { return &exports{c.shipper, c, e} }

// Settings implements [console.Exports].
func (v *exports) Settings() console.Settings {
	cfg, c := v.exporter.cfg, v.connection
	s := console.Settings{
		Credentials: c.credentials, Source: console.Configured, DryRun: cfg.DryRun,
		Changeable: v.exporter.changeable() == nil, Problem: c.problem, Others: c.others,
	}
	switch {
	case c.credentials.ConnectionID == "":
		s.Source = console.Nowhere
	case cfg.ConnectionID == "":
		s.Source = console.GivenHere
	}
	var err error
	if s.Timezone, err = time.LoadLocation(cmp.Or(c.credentials.Timezone, cfg.Timezone)); err != nil {
		s.Timezone = time.UTC // both were checked
	}
	return s
}

// SetUp implements [console.Exports].
func (v *exports) SetUp(ctx context.Context, c setup.Credentials) (billing.Amount, error) {
	return v.exporter.SetUp(ctx, c)
}

// Forget implements [console.Exports].
func (v *exports) Forget(ctx context.Context) error { return v.exporter.Forget(ctx) }

// Outcomes implements [console.Exports].
func (v *exports) Outcomes() console.Outcomes { return v.exporter.telemetry.tally() }

// Warnings implements [console.Exports].
func (v *exports) Warnings() (all []console.Warning) {
	for _, w := range v.exporter.leaks.Warnings() {
		all = append(all, console.Warning{What: w.What, Advice: w.Advice, Since: w.Since, Count: w.Count})
	}
	return all
}

func (c *consoleServer) shutdown(ctx context.Context) error {
	c.cool()
	graceful, cancel := context.WithTimeout(ctx, consoleGrace)
	defer cancel()
	err := c.server.Shutdown(graceful)
	if err != nil {
		err = c.server.Close() // an export that waits for AnyCost is answered no more
	}
	c.ended.Wait()
	return err
}
