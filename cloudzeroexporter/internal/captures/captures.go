// Package captures reads recordings of a real LiteLLM's telemetry, with the true
// cost of each call beside them. testdata/captures/README.md says how they were
// made. Tests replay them, and so does the sandbox of the quickstart.
package captures

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// Capture is the telemetry of one run of LiteLLM and what its calls cost.
type Capture struct {
	// Requests are the OTLP export requests of spans in the order in which they
	// came, Metrics those of metrics; either may be absent.
	Requests []ptrace.Traces
	Metrics  []pmetric.Metrics
	// Total is LiteLLM's own figure for all calls, in dollars.
	Total string
	// Truth is made from LiteLLM's own log of its calls alone.
	Truth []Truth
}

// Truth is what LiteLLM computed for one hour, provider, model, team and user.
type Truth struct {
	HourStart    int64  `json:"hour"` // Unix seconds
	Provider     string `json:"provider"`
	Model        string `json:"model"`
	Team         string `json:"team"`
	User         string `json:"user"`
	Cost         string `json:"cost"`
	Calls        int64  `json:"calls"`
	PricedCalls  int64  `json:"priced_calls"`
	CacheHits    int64  `json:"cache_hits"`
	InputTokens  int64  `json:"priced_input_tokens"`
	OutputTokens int64  `json:"priced_output_tokens"`
}

// Line is what truth and posted rows have in common. Tokens are those of priced
// calls; a line without cost has none.
type Line struct {
	Hour, Provider, Model, Team, User string
	Cost                              string
	InputTokens, OutputTokens         string
}

// Load reads the capture in a folder.
func Load(folder string) (*Capture, error) {
	c := &Capture{}
	if err := c.loadTruth(filepath.Join(folder, "expected.json")); err != nil {
		return nil, err
	}
	for name, load := range map[string]func([]byte) error{"traces.jsonl.gz": c.loadSpans, "metrics.jsonl.gz": c.loadMetrics} {
		file := filepath.Join(folder, name)
		if err := eachLine(file, load); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return c, nil
}

func (c *Capture) loadTruth(file string) error {
	text, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return err
	}
	expected := struct {
		Total *string  `json:"total_cost"`
		Rows  *[]Truth `json:"rows"`
	}{&c.Total, &c.Truth}
	if err := json.Unmarshal(text, &expected); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func (c *Capture) loadSpans(line []byte) error {
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalJSON(line); err != nil {
		return err
	}
	c.Requests = append(c.Requests, request.Traces())
	return nil
}

func (c *Capture) loadMetrics(line []byte) error {
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalJSON(line); err != nil {
		return err
	}
	c.Metrics = append(c.Metrics, request.Metrics())
	return nil
}

// eachLine loads a compressed file line by line.
func eachLine(file string, load func(line []byte) error) error {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(unzipped)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := load(line); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// SpanCount is the number of spans in all requests.
func (c *Capture) SpanCount() (n int) {
	for _, td := range c.Requests {
		n += td.SpanCount()
	}
	return n
}

// Lines are the truth's lines, in order.
func (c *Capture) Lines() []Line {
	lines := make([]Line, len(c.Truth))
	for i, t := range c.Truth {
		lines[i] = line(time.Unix(t.HourStart, 0).UTC().Format(time.RFC3339), t.Provider, t.Model, t.Team, t.User,
			t.Cost, strconv.FormatInt(t.InputTokens, 10), strconv.FormatInt(t.OutputTokens, 10))
	}
	return ordered(lines)
}

// Posted are the lines of rows that AnyCost holds, in order. The rows must be
// split by team and user, and by nothing else.
func Posted(rows []anycosttest.Row) []Line {
	lines := make([]Line, len(rows))
	for i, r := range rows {
		lines[i] = line(r.Hour(), r.Tag("provider"), r.Tag("model"), r.Tag("team_id"), r.Tag("user_id"),
			r["cost/cost"], r.Tag("prompt_tokens"), r.Tag("completion_tokens"))
	}
	return ordered(lines)
}

// Money leaves of the lines those with a cost, without their tokens: LiteLLM's
// metrics count the tokens of cache hits among the others.
func Money(lines []Line) (money []Line) {
	for _, l := range lines {
		if l.InputTokens, l.OutputTokens = "", ""; l.Cost != "0" {
			money = append(money, l)
		}
	}
	return money
}

func line(hour, provider, model, team, user, cost, input, output string) Line {
	l := Line{Hour: hour, Provider: provider, Model: model, Team: team, User: user, Cost: cost}
	if cost != "0" {
		l.InputTokens, l.OutputTokens = cmp.Or(input, "0"), cmp.Or(output, "0")
	}
	return l
}

func ordered(lines []Line) []Line {
	slices.SortFunc(lines, func(a, b Line) int {
		return cmp.Or(
			strings.Compare(a.Hour, b.Hour), strings.Compare(a.Provider, b.Provider), strings.Compare(a.Model, b.Model),
			strings.Compare(a.Team, b.Team), strings.Compare(a.User, b.User), strings.Compare(a.Cost, b.Cost),
		)
	})
	return lines
}
