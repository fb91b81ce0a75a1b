package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
)

// consoleGrace is how long a shutdown waits for requests that are under way.
const consoleGrace = 5 * time.Second

// consoleServer serves the console until shutdown. Its goroutine ends with the
// server.
type consoleServer struct {
	server *http.Server
	done   chan struct{}
}

func startConsole(ctx context.Context, host component.Host, e *cloudzeroExporter) (*consoleServer, error) {
	cfg := e.cfg.Console.Get()
	handler := console.Handler(e.shipper, console.Options{
		Format:   e.format,
		Settings: e.consoleSettings(),
		Token:    string(cfg.Token),
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
	c := &consoleServer{server: server, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(fmt.Errorf("console: %w", err)))
		}
	}()
	e.set.Logger.Info("The console listens", zap.Stringer("address", listener.Addr()))
	return c, nil
}

func (e *cloudzeroExporter) consoleSettings() console.Settings {
	zone, err := time.LoadLocation(e.cfg.Timezone)
	if err != nil {
		zone = time.UTC // the configuration was validated
	}
	return console.Settings{
		APIKey: string(e.cfg.APIKey), ConnectionID: e.cfg.ConnectionID, DryRun: e.cfg.DryRun, Timezone: zone,
	}
}

func (c *consoleServer) shutdown(ctx context.Context) error {
	graceful, cancel := context.WithTimeout(ctx, consoleGrace)
	defer cancel()
	err := c.server.Shutdown(graceful)
	if err != nil {
		err = c.server.Close() // an export that waits for AnyCost is answered no more
	}
	<-c.done
	return err
}
