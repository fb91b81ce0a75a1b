package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const capturesFolder = "../../../testdata/captures"

// BenchmarkFileStorage calls Consume from eight senders with requests of 100
// spans, all of them new calls, with the books in a file_storage. Its CPU is that
// of the process, without what it takes to make the calls new.
func BenchmarkFileStorage(b *testing.B) {
	for _, d := range allDialects {
		b.Run(d.name, func(b *testing.B) { benchmarkConsume(b, d, b.TempDir(), 8, 100) })
	}
}

// BenchmarkMemory is the same with the books in memory.
func BenchmarkMemory(b *testing.B) {
	for _, d := range allDialects {
		b.Run(d.name, func(b *testing.B) { benchmarkConsume(b, d, "", 8, 100) })
	}
}

// BenchmarkTrickleFileStorage calls Consume with one span, from many senders.
func BenchmarkTrickleFileStorage(b *testing.B) {
	for _, d := range allDialects {
		for _, senders := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%s/senders=%d", d.name, senders), func(b *testing.B) { benchmarkConsume(b, d, b.TempDir(), senders, 1) })
		}
	}
}

func benchmarkConsume(b *testing.B, d dialect, folder string, senders, spans int) {
	b.Helper()
	e, stop, err := newExporter(b.Context(), folder)
	require.NoError(b, err)
	defer func() { require.NoError(b, stop(context.Background())) }()
	capture, err := captures.Load(filepath.Join(capturesFolder, d.capture))
	require.NoError(b, err)
	batches := make([]*captures.Batch, senders)
	for i := range batches {
		batches[i], err = capture.Batch(captures.BatchConfig{Spans: spans})
		require.NoError(b, err)
	}
	var counter, sent atomic.Uint64
	renewing := cpuToRenew(b, batches[0], &counter)

	latencies := make([][]time.Duration, senders)
	before, err := cpuOf(os.Getpid())
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	var clients sync.WaitGroup
	for i, batch := range batches {
		clients.Go(func() {
			for sent.Add(1) <= uint64(b.N) {
				batch.Renew(&counter)
				begin := time.Now()
				if err := e.ConsumeTraces(b.Context(), batch.Traces); err != nil {
					b.Error(err)
					return
				}
				latencies[i] = append(latencies[i], time.Since(begin))
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	after, err := cpuOf(os.Getpid())
	require.NoError(b, err)
	all := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	n := float64(b.N * spans)
	b.ReportMetric(float64(after-before)/n-renewing, "cpu-ns/span")
	b.ReportMetric(float64(b.Elapsed())/n, "ns/span")
	b.ReportMetric(all[len(all)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// cpuToRenew is the CPU time that making one call new takes, in nanoseconds.
func cpuToRenew(b *testing.B, batch *captures.Batch, counter *atomic.Uint64) float64 {
	b.Helper()
	const times = 2000
	before, err := cpuOf(os.Getpid())
	require.NoError(b, err)
	for range times {
		batch.Renew(counter)
	}
	after, err := cpuOf(os.Getpid())
	require.NoError(b, err)
	return float64(after-before) / float64(times*batch.Calls())
}

// TestReplaceSection keeps what other measurements have written.
func TestReplaceSection(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(title, cell string) {
		s := section{title: title, about: "About " + title, measured: "Now.", head: []string{"Value"}}
		s.row(cell)
		s.aim(true, "Fast", "≤ 1", "%d", 1)
		require.NoError(t, replaceSection(file, s))
	}
	write("One", "first")
	write("Two", "second")
	write("One", "third")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, preamble+`
## One

About One

*Now.*

| Goal | Limit | Measured | Met |
| ---- | ----- | -------- | --- |
| Fast | ≤ 1   | 1        | yes |

| Value |
| ----- |
| third |

## Two

About Two

*Now.*

| Goal | Limit | Measured | Met |
| ---- | ----- | -------- | --- |
| Fast | ≤ 1   | 1        | yes |

| Value  |
| ------ |
| second |
`, string(text))
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		require.InDelta(t, c.want, median(c.values), 0)
	}
}

func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	calls, rows := 0, 0
	for i := range booksHours {
		calls, rows = calls+share(booksCalls, i), rows+share(booksRows, i)
	}
	require.Equal(t, booksCalls, calls)
	require.Equal(t, booksRows, rows)
}

func TestGoBenchmarkLine(t *testing.T) {
	t.Parallel()
	got, ok := parseBenchmark("BenchmarkConsume/v2/new_calls-2   \t     207\t   1191442 ns/op\t  1191 ns/span\t 159335 B/op\t 74 allocs/op")
	require.True(t, ok)
	require.Equal(t, benchmark{"Consume/v2/new_calls", map[string]float64{"ns/op": 1191442, "ns/span": 1191, "B/op": 159335, "allocs/op": 74}}, got)
	_, ok = parseBenchmark("ok  \tsome/package\t1.2s")
	require.False(t, ok)
}
