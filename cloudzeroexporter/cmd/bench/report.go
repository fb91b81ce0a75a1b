package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is a part of the report that stands for itself.
type section struct {
	title string
	// about says what was measured, and how.
	about string
	// measured says when, on what, of which commit.
	measured string
	goals    []goal
	head     []string
	rows     [][]string
}

// goal is a promise of the project, and what was measured.
type goal struct {
	what, goal, measured string
	met                  bool
}

func (s *section) aim(met bool, what, goalText, format string, values ...any) {
	s.goals = append(s.goals, goal{what, goalText, fmt.Sprintf(format, values...), met})
}

func (s *section) row(cells ...string) { s.rows = append(s.rows, cells) }

func (s *section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n*%s*\n", s.title, s.about, s.measured)
	if len(s.goals) > 0 {
		rows := make([][]string, len(s.goals))
		for i, g := range s.goals {
			met := "yes"
			if !g.met {
				met = "**no**"
			}
			rows[i] = []string{g.what, g.goal, g.measured, met}
		}
		writeTable(&b, []string{"Goal", "Limit", "Measured", "Met"}, rows)
	}
	if len(s.rows) > 0 {
		writeTable(&b, s.head, s.rows)
	}
	return b.String()
}

// writeTable writes a table that reads well in a terminal, too.
func writeTable(b *strings.Builder, head []string, rows [][]string) {
	widths := make([]int, len(head))
	for _, row := range slices.Concat([][]string{head}, rows) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	line := func(cells []string) {
		for i, cell := range cells {
			fmt.Fprintf(b, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n")
	line(head)
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = strings.Repeat("-", max(3, widths[i]))
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
}

const preamble = `# Benchmarks

` + "`make bench` and `make bench-litellm` write this file. [cmd/bench](../cloudzeroexporter/cmd/bench/README.md) says how they measure." + `
Compare ratios: times are those of one machine.
`

// replaceSection puts the section into the file, in the place of the one with
// the same title.
func replaceSection(file string, s section) error {
	text, err := os.ReadFile(file) //nolint:gosec // the one who runs this names it
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parts := strings.Split(string(text), "\n## ")
	parts[0] = preamble
	own := strings.TrimPrefix(s.markdown(), "## ")
	i := slices.IndexFunc(parts, func(part string) bool { return strings.HasPrefix(part, s.title+"\n") })
	if i < 0 {
		parts = append(parts, own)
	} else {
		parts[i] = own
	}
	for i := range parts {
		parts[i] = strings.TrimRight(parts[i], "\n") + "\n"
	}
	return os.WriteFile(file, []byte(strings.Join(parts, "\n## ")), 0o644) //nolint:gosec // a document
}

// aboutMachine says when, where and what is measured.
func aboutMachine(ctx context.Context) (string, error) {
	commit := "unknown commit"
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output(); err == nil {
		commit = "commit " + strings.TrimSpace(string(out))
	}
	cpu, err := cpuModel()
	return fmt.Sprintf("Measured %s at %s, on %d cores of %s, %s.",
		time.Now().UTC().Format(time.DateOnly), commit, runtime.NumCPU(), cpu, runtime.Version()), err
}

func cpuModel() (string, error) {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value), nil
		}
	}
	return "an unknown CPU", lines.Err()
}

// median is the middle one of the values; 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func megabytes(bytes uint64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }
