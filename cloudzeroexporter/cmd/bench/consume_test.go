package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
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
	c, err := newConsumers(e, filepath.Join(capturesFolder, d.capture), senders, spans)
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	got, err := c.run(b.Context(), b.N)
	b.StopTimer()
	require.NoError(b, err)
	b.ReportMetric(got.cpuPerSpan, "cpu-ns/span")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N*spans), "ns/span")
	b.ReportMetric(got.latencies[len(got.latencies)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
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

func TestTheSlowestAnswerIsThatOfTheWarmConsole(t *testing.T) {
	t.Parallel()
	took := func(name string, ms float64) benchmark { return benchmark{name, map[string]float64{"ns/op": ms * 1e6}} }
	name, ms := slowestAnswer([]benchmark{took("Console/page/warm", 3), took("Console/rows/warm", 5), took("Console/page/cold", 900), took("Rows", 7)})
	require.Equal(t, "rows", name)
	require.InDelta(t, 5, ms, 0.001)
	name, _ = slowestAnswer(nil)
	require.Empty(t, name)
}

func TestTheBestOfSeveralRuns(t *testing.T) {
	t.Parallel()
	got := bestOf([]benchmark{
		{"Consume", map[string]float64{"ns/op": 5, "MB/s": 10}},
		{"Post", map[string]float64{"ns/op": 7}},
		{"Consume", map[string]float64{"ns/op": 4, "MB/s": 9}},
	})
	require.Equal(t, map[string]benchmark{
		"Consume": {"Consume", map[string]float64{"ns/op": 4, "MB/s": 10}},
		"Post":    {"Post", map[string]float64{"ns/op": 7}},
	}, got)
}

func TestGoBenchmarkLine(t *testing.T) {
	t.Parallel()
	got, ok := parseBenchmark("BenchmarkConsume/v2/new_calls-2   \t     207\t   1191442 ns/op\t  1191 ns/span\t 159335 B/op\t 74 allocs/op")
	require.True(t, ok)
	require.Equal(t, benchmark{"Consume/v2/new_calls", map[string]float64{"ns/op": 1191442, "ns/span": 1191, "B/op": 159335, "allocs/op": 74}}, got)
	_, ok = parseBenchmark("ok  \tsome/package\t1.2s")
	require.False(t, ok)
}
