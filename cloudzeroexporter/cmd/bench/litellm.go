package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

//go:embed litellm/transform.py
var transformPy string

const (
	liteLLMRecords     = 20_000
	liteLLMRepetitions = 5
	liteLLMMany        = 100_000 // records whose memory is looked at
	consumeRequests    = 1000    // of one repetition
)

// liteLLMTook is what transform.py prints: CPU seconds of all records, and
// memory in bytes.
type liteLLMTook struct {
	Transform []float64 `json:"transform"`
	Serialize []float64 `json:"serialize"`
	RSSBefore uint64    `json:"rss_before"`
	RSSPeak   uint64    `json:"rss_peak"`
}

// liteLLM measures LiteLLM's own exporter, and this one with the same calls.
func (o *options) liteLLM(ctx context.Context) (section, error) {
	s := section{
		title: "Beside LiteLLM's own exporter",
		about: fmt.Sprintf(`CPU time for one call. LiteLLM's exporter makes a CBF record of a record of its spend table (median of %d runs over %d records), and a
body of those; it neither reads a database nor posts here. This one reads the span, books it on its row and commits that: requests of 100 spans
from eight senders, the same recorded calls, all of them new. Memory is that of %d calls.`,
			liteLLMRepetitions, liteLLMRecords, liteLLMMany),
		head: []string{"Exporter", "CPU a call", "LiteLLM takes", "Serialise a record", "Memory"},
	}
	records, err := o.spendRecords()
	if err != nil {
		return s, err
	}
	few, err := o.transform(ctx, records, liteLLMRecords, liteLLMRepetitions)
	if err != nil {
		return s, err
	}
	o.progress("LiteLLM transformed %d records %d times", liteLLMRecords, liteLLMRepetitions)
	many, err := o.transform(ctx, records, liteLLMMany, 1)
	if err != nil {
		return s, err
	}
	theirs := median(few.Transform) / liteLLMRecords * 1e9
	s.row("LiteLLM 1.106.2", fmt.Sprintf("%.1f µs", theirs/1e3), "",
		fmt.Sprintf("%.1f µs", median(few.Serialize)/liteLLMRecords*1e6),
		fmt.Sprintf("%s, %s before it began", megabytes(many.RSSPeak), megabytes(many.RSSBefore)))
	for _, d := range o.dialects {
		peak, err := o.peakOf(ctx, d, liteLLMMany)
		if err != nil {
			return s, err
		}
		for _, books := range []string{"memory", "file_storage"} {
			ours, err := o.consumeCPU(ctx, d, books == "file_storage")
			if err != nil {
				return s, err
			}
			s.row("cloudzero, "+d.name+", books in "+books, fmt.Sprintf("%.2f µs", ours/1e3), fmt.Sprintf("%.0f ×", theirs/ours), "",
				megabytes(peak)+", the whole collector")
			if books == "memory" {
				s.aim(theirs/ours >= 300, "Against LiteLLM's transform, a call, books in memory, "+d.name, "≥ 300 ×", "%.0f ×", theirs/ours)
			}
		}
	}
	return s, nil
}

// transform runs transform.py.
func (o *options) transform(ctx context.Context, records []byte, count, repetitions int) (took liteLLMTook, err error) {
	cmd := exec.CommandContext(ctx, o.python, "-c", transformPy, strconv.Itoa(count), strconv.Itoa(repetitions)) //nolint:gosec // the one who runs this names it
	cmd.Env = append(os.Environ(), "LITELLM_LOCAL_MODEL_COST_MAP=True")                                          // its price list is not fetched
	cmd.Stdin = bytes.NewReader(records)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return took, fmt.Errorf("%s: %w; `make bench-litellm` installs it\n%s", o.python, err, log.String())
	}
	return took, json.Unmarshal(out, &took)
}

// spendRecords are the recorded calls as LiteLLM's spend table would have them,
// in JSON. https://github.com/BerriAI/litellm/blob/main/litellm/integrations/cloudzero/database.py
func (o *options) spendRecords() ([]byte, error) {
	capture, err := captures.Load(filepath.Join(o.captures, "1.106.2-v1-request-span"))
	if err != nil {
		return nil, err
	}
	calls, _, err := capture.Calls()
	if err != nil {
		return nil, err
	}
	records := make([]map[string]any, len(calls))
	for i, c := range calls {
		text := func(key string) string { return attribute(c.Span.Attributes(), key).AsString() }
		count := func(key string) int64 { return attribute(c.Span.Attributes(), key).Int() }
		_, model, _ := strings.Cut(text(captures.ModelKey), "/")
		records[i] = map[string]any{
			"model": model, "model_group": text("litellm.model_group"), "custom_llm_provider": text("gen_ai.system"),
			"prompt_tokens": count("gen_ai.usage.input_tokens"), "completion_tokens": count("gen_ai.usage.output_tokens"),
			"spend": c.Cost.Float64(), "api_requests": 1, "successful_requests": 1, "failed_requests": 0,
			"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
			"api_key": text("metadata.user_api_key_hash"), "api_key_alias": text("metadata.user_api_key_alias"),
			"team_id": text("metadata.user_api_key_team_id"), "team_alias": text("metadata.user_api_key_team_alias"),
		}
	}
	return json.Marshal(records)
}

// attribute is an attribute, or an empty value.
func attribute(a pcommon.Map, key string) pcommon.Value {
	if v, ok := a.Get(key); ok {
		return v
	}
	return pcommon.NewValueEmpty()
}

// consumeCPU is the CPU time of one new call, in nanoseconds.
func (o *options) consumeCPU(ctx context.Context, d dialect, onDisk bool) (perCall float64, err error) {
	folder := ""
	if onDisk {
		if folder, err = os.MkdirTemp(o.temp, "otelcol-cloudzero-bench-"); err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
	}
	e, stop, err := newExporter(ctx, folder)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop(context.WithoutCancel(ctx))) }()
	c, err := newConsumers(e, filepath.Join(o.captures, d.capture), 8, 100)
	if err != nil {
		return 0, err
	}
	var all []float64
	for range liteLLMRepetitions {
		got, err := c.run(ctx, consumeRequests)
		if err != nil {
			return 0, err
		}
		all = append(all, got.cpuPerSpan)
	}
	return median(all), nil
}

// peakOf is the memory of a collector that was sent so many calls.
func (o *options) peakOf(ctx context.Context, d dialect, calls int64) (uint64, error) {
	s, err := o.start(ctx, cloudzero, "")
	if err != nil {
		return 0, err
	}
	defer s.end()
	g, err := o.generator(s, d, load.Config{Spans: 100, Senders: 8, Teams: 10, Users: 20, Models: 5})
	if err != nil {
		return 0, err
	}
	defer func() { _ = g.Close() }()
	if _, err := g.Run(ctx, calls/100); err != nil {
		return 0, err
	}
	m, err := memoryOf(s.PID())
	return m.peak, err
}
