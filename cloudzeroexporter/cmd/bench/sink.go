package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

// sink takes OTLP/gRPC, acknowledges it and counts it, as cheaply as can be: it
// is what stands behind the queue.
type sink struct {
	address  string
	requests atomic.Int64
	stop     func() // waits for the serving goroutine
}

func newSink(ctx context.Context) (*sink, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	s := &sink{address: listener.Addr().String()}
	const maxBytes = 64 << 20
	server := grpc.NewServer(grpc.ForceServerCodecV2(load.Encoded{}), grpc.MaxRecvMsgSize(maxBytes), grpc.UnknownServiceHandler(s.take))
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		_ = server.Serve(listener) // always ends because it was stopped
	}()
	s.stop = func() { server.Stop(); <-done }
	return s, nil
}

func (s *sink) take(_ any, stream grpc.ServerStream) error {
	var body []byte
	if err := stream.RecvMsg(&body); err != nil {
		return err
	}
	s.requests.Add(1)
	return stream.SendMsg([]byte{})
}

// wait waits until so many requests have come.
func (s *sink) wait(ctx context.Context, requests int64) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.requests.Load() < requests {
		select {
		case <-ctx.Done():
			return fmt.Errorf("behind the queue came %d requests of %d: %w", s.requests.Load(), requests, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
