// Package otelcoltest is what tests need that run the built distribution.
package otelcoltest

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// Free returns an address on which nobody listens.
func Free(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// Addresses returns addresses for a collector, all free.
func Addresses(t testing.TB) otelcol.Addresses {
	t.Helper()
	return otelcol.Addresses{GRPC: Free(t), HTTP: Free(t), Console: Free(t), Health: Free(t)}
}

// Log is a log that a process writes and a test reads.
type Log struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

// String is all that was written until now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
