package shipper

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// BenchmarkPost posts a month of some 65 MB: reading the hours, encoding their
// rows, packing them and reading the bodies, with an AnyCost that takes no
// time. Beside the speed it shows the largest heap while a body is sent, less
// what the books take.
func BenchmarkPost(b *testing.B) {
	books := monthOfBooks(b)
	var posted, peak uint64
	idle := liveHeap()
	client, err := anycost.New(&http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		n, err := io.Copy(io.Discard, r.Body)
		posted += uint64(n)
		peak = max(peak, liveHeap())
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"connection":{"drop_id":"d"}}`))}, err
	})}, "http://localhost", "c", "key", "bench")
	require.NoError(b, err)
	s := New(books, client, Options{
		Interval: time.Hour, Format: cbf.Format{TokenTags: true}, Limits: Limits{Bytes: 70_000_000, Rows: 1_000_000},
		Logger: zap.NewNop(), Posted: func(string, time.Duration) {}, Status: func(error) {},
	})
	b.ReportAllocs()
	runs := 0
	for b.Loop() {
		runs++
		r := round{Shipper: s}
		require.NoError(b, r.shipAll(b.Context(), books.Hours()))
	}
	b.SetBytes(int64(posted) / int64(runs))
	b.ReportMetric(float64(peak-idle)/1e6, "peak-MB")
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// monthOfBooks are books with the rows that a month's allowance has room for.
func monthOfBooks(b *testing.B) *ledger.Ledger {
	b.Helper()
	books, err := ledger.Open(b.Context(), &values{m: map[string][]byte{}}, ledger.Options{Retention: 1e6 * time.Hour, Logger: zap.NewNop()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, books.Close(context.Background())) })
	layout, err := cbf.NewLayout([]string{cbf.Team, cbf.User})
	require.NoError(b, err)
	begin := billing.MonthOf(time.Now().AddDate(0, 2, 0)).First() // after the books began
	var batch ledger.Batch
	for hour := range billing.Hour(720) {
		for row := range 125 {
			record := usage.Record{
				Outcome: billing.Billed, Hour: begin + hour, Provider: "openai", Model: "gpt-4o-mini-2024-07-18",
				Team: "0b7e2c0e-8a53-4b1f-9f39-0a4b6f8d3c1" + strconv.Itoa(row%10), TeamAlias: "Search",
				User: "ana-" + strconv.Itoa(row) + "@example.com", Tokens: billing.Tokens{Input: 123456, Output: 7890},
				Call: uint64(hour)<<32 | uint64(row),
			}
			record.Cost, err = billing.AmountOfParts(12, 56_805_000_000)
			require.NoError(b, err)
			batch.Add(layout, &record)
		}
		require.NoError(b, books.Commit(b.Context(), &batch))
		batch.Reset()
	}
	return books
}

// values is a storage in memory.
type values struct {
	mu sync.Mutex // guards m
	m  map[string][]byte
}

func (v *values) Get(_ context.Context, key string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.m[key], nil
}

func (v *values) Set(ctx context.Context, key string, value []byte) error {
	return v.Batch(ctx, storage.SetOperation(key, value))
}

func (v *values) Delete(ctx context.Context, key string) error {
	return v.Batch(ctx, storage.DeleteOperation(key))
}

func (v *values) Batch(_ context.Context, ops ...*storage.Operation) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, op := range ops {
		switch op.Type {
		case storage.Set:
			v.m[op.Key] = op.Value
		case storage.Delete:
			delete(v.m, op.Key)
		case storage.Get:
			op.Value = v.m[op.Key]
		}
	}
	return nil
}

func (*values) Close(context.Context) error { return nil }
