package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

//go:embed collector.yaml
var collectorYAML string

const (
	apiKey       = "bench-key"
	connectionID = "bench-connection"
)

// kind is the exporter that a collector's traces go to, as collector.yaml names
// it.
type kind string

const (
	nop       kind = "nop"
	cloudzero kind = "cloudzero"
	queue     kind = "otlp_grpc"
)

// stage is a running collector, with all that it talks to.
type stage struct {
	*otelcol.Collector
	kind    kind
	anycost *anycosttest.Server
	sink    *sink
	pprof   string        // address of the collector's profiles
	metrics string        // URL of the collector's own metrics
	storage string        // folder of file_storage
	ready   time.Duration // how long the start took
	close   []func()
}

// start starts a collector. Books in the folder are used if there are any; ""
// is an empty folder that goes with the stage.
func (o *options) start(ctx context.Context, k kind, storage string) (s *stage, err error) {
	s = &stage{kind: k, storage: storage}
	defer func() {
		if err != nil {
			s.end()
		}
	}()
	s.anycost = anycosttest.New(anycosttest.Config{
		APIKey: apiKey, ConnectionID: connectionID, MaxMonthBytes: 1_000_000_000, MaxMonthRows: 10_000_000,
	})
	s.close = append(s.close, s.anycost.Close)
	endpoint, err := s.serve(ctx, s.anycost)
	if err != nil {
		return s, err
	}
	if s.sink, err = newSink(ctx); err != nil {
		return s, err
	}
	s.close = append(s.close, s.sink.stop)
	if storage == "" {
		if s.storage, err = os.MkdirTemp(o.temp, "otelcol-cloudzero-bench-"); err != nil {
			return s, err
		}
		s.close = append(s.close, func() { _ = os.RemoveAll(s.storage) })
	}
	free, err := s.claim(ctx, 6)
	if err != nil {
		return s, err
	}
	_, port, err := net.SplitHostPort(free[4])
	if err != nil {
		return s, err
	}
	s.pprof = free[5]
	s.metrics = "http://" + free[4] + "/metrics"
	begin := time.Now()
	s.Collector, err = otelcol.Start(otelcol.Options{
		Binary: o.collector, Config: collectorYAML, Log: o.log,
		Addresses: otelcol.Addresses{GRPC: free[0], HTTP: free[1], Console: free[2], Health: free[3]},
		Env: []string{
			"EXPORTER=" + string(k), "STORAGE=" + s.storage, "METRICS_PORT=" + port, "SINK=" + s.sink.address, "PPROF=" + s.pprof,
			"CLOUDZERO_ENDPOINT=" + endpoint, "CLOUDZERO_API_KEY=" + apiKey, "CLOUDZERO_CONNECTION_ID=" + connectionID,
		},
	})
	if err != nil {
		return s, fmt.Errorf("%s: %w; `make build` makes it", o.collector, err)
	}
	s.close = append(s.close, s.Kill)
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = s.Ready(waiting)
	s.ready = time.Since(begin)
	return s, err
}

// end ends the collector and all beside it, in the order opposite to their start.
func (s *stage) end() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	s.close = nil
}

func (s *stage) serve(ctx context.Context, h http.Handler) (endpoint string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { // ends with Close
		defer close(done)
		_ = server.Serve(listener) // always ends with ErrServerClosed
	}()
	s.close = append(s.close, func() { _ = server.Close(); <-done })
	return "http://" + listener.Addr().String(), nil
}

// claim claims addresses that nobody listens on, until the end.
func (s *stage) claim(ctx context.Context, n int) (addresses []string, err error) {
	for range n {
		claim, err := otelcol.ClaimAddress(ctx)
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, claim.Release)
		addresses = append(addresses, claim.Address)
	}
	return addresses, nil
}

// target is where the load is sent.
func (s *stage) target(overHTTP bool) string {
	if overHTTP {
		return s.HTTP
	}
	return s.GRPC
}

// metric adds up the collector's own metric, over all samples that have the
// label; "" is any.
func (s *stage) metric(ctx context.Context, name, label string) (sum float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.metrics, http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		end := strings.IndexAny(line, "{ ")
		if end < 0 || line[:end] != name || !strings.Contains(line, label) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += value
	}
	return sum, nil
}

// checkOutcomes holds the exporter's own counters against what was sent.
func (s *stage) checkOutcomes(ctx context.Context, want map[string]int64) error {
	var errs []error
	for _, outcome := range []string{"billed", "duplicate", "ignored", "free", "unpriced", "failed", "invalid", "rejected"} {
		got, err := s.metric(ctx, "otelcol_exporter_cloudzero_spans", `outcome="`+outcome+`"`)
		if err == nil && int64(got) != want[outcome] {
			err = fmt.Errorf("the collector counts %d spans as %s, but %d were sent", int64(got), outcome, want[outcome])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
