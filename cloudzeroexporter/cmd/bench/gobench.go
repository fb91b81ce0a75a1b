package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// benchmark is what `go test -bench` prints of one: its values by their units.
type benchmark struct {
	name   string
	values map[string]float64
}

// inProcess runs the Go benchmarks that lie beside the code.
func (o *options) inProcess(ctx context.Context) (section, error) {
	s := section{
		title: "In one process",
		about: `The Go benchmarks of all packages (` + "`go test -bench .`" + `), without the network. *New calls* were never sent before; *known calls* are sent
again and again, in requests of 100 spans. FileStorage: eight senders, 100 spans a request, all new, 100,000 of an hour (as in Memory
and Trickle), without fsync; its CPU is that of the process, all goroutines and the garbage collector included. Consume and FileStorage run ` + strconv.Itoa(goalRuns) + ` times, of which the goals take the best: neighbours of the machine only make them slower.`,
		head: []string{"Benchmark", "Values"},
	}
	all, err := o.goBenchmarks(ctx, ".", 1)
	if err != nil {
		return s, err
	}
	again, err := o.goBenchmarks(ctx, "^Benchmark(Consume|FileStorage)$", goalRuns-1)
	if err != nil {
		return s, err
	}
	byName := bestOf(slices.Concat(all, again))
	for _, b := range all {
		var values []string
		for _, unit := range slices.Sorted(maps.Keys(b.values)) {
			values = append(values, number(b.values[unit])+" "+unit)
		}
		s.row(b.name, strings.Join(values, ", "))
	}
	for _, g := range processGoals {
		value, ok := byName[g.benchmark].values[g.unit]
		if !ok {
			return s, fmt.Errorf("benchmark %s tells no %s", g.benchmark, g.unit)
		}
		limit, met := "≤ ", value <= g.limit
		if g.least {
			limit, met = "≥ ", value >= g.limit
		}
		s.aim(met, g.what, limit+number(g.limit)+" "+g.shown, "%s %s", number(value), g.shown)
	}
	slowest, ms := slowestAnswer(all)
	if slowest == "" {
		return s, errors.New("there is no benchmark of the console")
	}
	s.aim(ms <= maxAnswerMS, "Any answer of the console, 100,000 rows", "≤ "+number(maxAnswerMS)+" ms", "%s ms, `%s`", number(ms), slowest)
	return s, nil
}

// goalRuns is how often benchmarks run whose times have goals.
const goalRuns = 4

// bestOf are the best values of each benchmark, by its name.
func bestOf(all []benchmark) map[string]benchmark {
	best := make(map[string]benchmark)
	for _, b := range all {
		known, ok := best[b.name]
		if !ok {
			known = benchmark{b.name, maps.Clone(b.values)}
			best[b.name] = known
		}
		for unit, value := range b.values {
			if strings.HasSuffix(unit, "/s") {
				known.values[unit] = max(known.values[unit], value)
			} else {
				known.values[unit] = min(known.values[unit], value)
			}
		}
	}
	return best
}

// maxAnswerMS is how long people may wait for the console.
const maxAnswerMS = 200

// slowestAnswer is the console's page or call that takes longest, and how long.
func slowestAnswer(all []benchmark) (name string, ms float64) {
	for _, b := range all {
		call, warm := strings.CutSuffix(strings.TrimPrefix(b.name, "Console/"), "/warm")
		if took := b.values["ns/op"] / 1e6; warm && took > ms {
			name, ms = call, took
		}
	}
	return name, ms
}

// processGoals are the goals that Go benchmarks measure.
var processGoals = []struct {
	what, benchmark, unit string
	limit                 float64
	least                 bool
	shown                 string
}{
	{"Consume, books in memory, v2", "Consume/v2/new_calls", "ns/span", 400, false, "ns/span"},
	{"Consume, books in memory, v1", "Consume/v1/new_calls", "ns/span", 600, false, "ns/span"},
	{"Spans that are no calls, v2", "Consume/v2/no_calls", "ns/span", 50, false, "ns/span"},
	{"Spans that are no calls, v1", "Consume/v1/no_calls", "ns/span", 50, false, "ns/span"},
	// TestAKnownCallAllocatesNothing shows whose they are.
	{"Allocations in the steady state (7 are exporterhelper's), v2", "Consume/v2/known_calls", "allocs/op", 7, false, "a request"},
	{"Allocations in the steady state (7 are exporterhelper's), v1", "Consume/v1/known_calls", "allocs/op", 7, false, "a request"},
	{"Consume with file_storage, CPU, v2", "FileStorage/v2", "cpu-ns/span", 800, false, "ns/span"},
	{"Consume with file_storage, CPU, v1", "FileStorage/v1", "cpu-ns/span", 800, false, "ns/span"},
	{"Consume with file_storage, p99, v2", "FileStorage/v2", "p99-ms", 10, false, "ms"},
	{"Consume with file_storage, p99, v1", "FileStorage/v1", "p99-ms", 10, false, "ms"},
	{"Encoding CBF", "AppendJSON", "MB/s", 300, true, "MB/s"},
	{"Consume of one span, file_storage, v2", "TrickleFileStorage/v2/senders=64", "requests/s", 20_000, true, "a second"},
	{"Consume of one span, file_storage, v1", "TrickleFileStorage/v1/senders=64", "requests/s", 20_000, true, "a second"},
}

// goBenchmarks runs the benchmarks of the exporter's module and of this one, so
// many times each.
func (o *options) goBenchmarks(ctx context.Context, pattern string, count int) (all []benchmark, err error) {
	exporter := filepath.Dir(filepath.Dir(o.source))
	for _, of := range []struct{ folder, packages string }{{exporter, "./..."}, {o.source, "."}} {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-count", strconv.Itoa(count), "-benchmem", "-benchtime", "1s", "-timeout", "30m", of.packages) //nolint:gosec // go test
		cmd.Dir, cmd.Stderr = of.folder, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w\n%s", cmd, of.folder, err, out)
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			if b, ok := parseBenchmark(lines.Text()); ok {
				all = append(all, b)
			}
		}
	}
	return all, nil
}

// parseBenchmark reads a line of https://go.dev/design/14313-benchmark-format.
func parseBenchmark(line string) (b benchmark, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return b, false
	}
	b.name = strings.TrimSuffix(strings.TrimPrefix(fields[0], "Benchmark"), "-"+strconv.Itoa(runtime.GOMAXPROCS(0)))
	b.values = make(map[string]float64)
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return b, false
		}
		b.values[fields[i+1]] = value
	}
	return b, true
}

// number prints three digits that count.
func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}
