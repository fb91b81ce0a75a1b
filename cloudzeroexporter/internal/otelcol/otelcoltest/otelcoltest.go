// Package otelcoltest is what tests need that run the built distribution.
package otelcoltest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol"
)

// Free returns an address on which nobody listens, and which no other test gets
// until this one has ended.
func Free(tb testing.TB) string {
	tb.Helper()
	claim, err := otelcol.ClaimAddress(tb.Context())
	require.NoError(tb, err)
	tb.Cleanup(claim.Release)
	return claim.Address
}

// Addresses returns addresses for a collector, all free.
func Addresses(tb testing.TB) otelcol.Addresses {
	tb.Helper()
	return otelcol.Addresses{GRPC: Free(tb), HTTP: Free(tb), Console: Free(tb), Health: Free(tb)}
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
