package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

const (
	sandboxKey        = "sandbox-key"
	sandboxConnection = "sandbox-connection"
	// sandboxRetention keeps the recorded hours open however old they are.
	sandboxRetention = "876000h"
)

// runSandbox replays recorded traffic into a collector beside a stand-in for
// AnyCost, shows what arrives there, and goes on with what LiteLLM sends.
func (o *options) runSandbox(ctx context.Context) error {
	fmt.Fprint(o.out, `
SANDBOX: CLOUDZERO_API_KEY and CLOUDZERO_CONNECTION_ID are not set, so nothing leaves this machine.
A stand-in for CloudZero's AnyCost API, with its documented rules, takes what is posted.
`)
	capture, err := captures.Load(o.capture)
	if err != nil {
		return fmt.Errorf("recorded traffic: %w (run this from the project's folder)", err)
	}
	standIn := anycosttest.New(anycosttest.Config{APIKey: sandboxKey, ConnectionID: sandboxConnection})
	defer standIn.Close()
	endpoint, stop, err := serve(ctx, standIn)
	if err != nil {
		return err
	}
	defer stop()
	storage, err := os.MkdirTemp("", "otelcol-cloudzero-sandbox-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(storage) }()
	c, err := o.start(ctx, endpoint, storage, sandboxRetention, "warn",
		"CLOUDZERO_API_KEY="+sandboxKey, "CLOUDZERO_CONNECTION_ID="+sandboxConnection)
	if err != nil {
		return err
	}
	if err := o.replay(ctx, c, standIn, capture); err != nil {
		c.Kill()
		return err
	}
	o.sayWhereToSend()
	fmt.Fprintf(o.out, "\nWhat LiteLLM sends from now on shows up here within %s of its call.\n", o.poll)
	return o.wait(ctx, c, func(ctx context.Context) { o.showNews(ctx, c, standIn) })
}

// serve serves the stand-in on a free port until stop.
func serve(ctx context.Context, h http.Handler) (endpoint string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // always ends with ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

func (o *options) replay(ctx context.Context, c *otelcol.Collector, standIn *anycosttest.Server, capture *captures.Capture) error {
	fmt.Fprintf(o.out, "\nReplaying %d spans that a real LiteLLM sent (%s) to http://%s/v1/traces ...\n",
		capture.SpanCount(), o.capture, o.addresses.HTTP)
	for _, td := range capture.Requests {
		if err := c.Send(ctx, td); err != nil {
			return err
		}
	}
	if _, err := c.Export(ctx); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "AnyCost now holds:\n\n")
	if err := writeTable(o.out, standIn.Rows()); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "\nTotal at AnyCost          %s USD\nLiteLLM's own computation %s USD\n", standIn.Total(), capture.Total)
	if standIn.Total() != capture.Total {
		return errors.New("the totals differ: this is a bug, please report it")
	}
	fmt.Fprintln(o.out, "Equal to the last digit.")
	return nil
}

// showNews posts what came since, and shows the rows that it changed.
func (o *options) showNews(ctx context.Context, c *otelcol.Collector, standIn *anycosttest.Server) {
	before := make(map[string]anycosttest.Row)
	for _, r := range standIn.Rows() {
		before[r.Hour()+r["resource/id"]] = r
	}
	if _, err := c.Export(ctx); err != nil {
		if ctx.Err() == nil {
			fmt.Fprintln(o.out, err)
		}
		return
	}
	var news []anycosttest.Row
	for _, r := range standIn.Rows() {
		if !maps.Equal(before[r.Hour()+r["resource/id"]], r) {
			news = append(news, r)
		}
	}
	if len(news) > 0 {
		fmt.Fprintf(o.out, "\n%s: rows that are new or have grown:\n\n", time.Now().Format(time.TimeOnly))
		_ = writeTable(o.out, news)
	}
}

func writeTable(w io.Writer, rows []anycosttest.Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOUR\tPROVIDER\tMODEL\tTEAM\tUSER\tUSAGE\t\tCOST (USD)")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Hour(), r.Tag("provider"), r.Tag("model"), dash(r.Tag("team_id")),
			dash(r.Tag("user_id")), r["usage/amount"], r["usage/units"], r["cost/cost"])
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
