// Command bench measures otelcol-cloudzero as its users run it: another process,
// OTLP over the network, a file_storage, traffic of a real LiteLLM. Beside it, in
// the same run and under the same load, it measures collectors that do nothing
// with the spans, or keep them in a queue on disk, and LiteLLM's own exporter.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/cmd/bench/load"
)

// options are the flags.
type options struct {
	collector, captures, source, out, only, python, temp string

	dialects    []dialect
	load        load.Config
	calls       int64
	repetitions int

	log io.Writer
}

// dialect is a way in which LiteLLM tells of calls, and a capture of it.
type dialect struct{ name, capture string }

var allDialects = []dialect{{"v2", "1.106.2-v2"}, {"v1", "1.106.2-v1-request-span"}}

// measurement makes a section of the report.
type measurement struct {
	name string
	// byHand measurements are made only when they are asked for.
	byHand bool
	make   func(*options, context.Context) (section, error)
}

var measurements = []measurement{
	{"compare", false, (*options).compare},
	{"memory", false, (*options).memory},
	{"start", false, (*options).startWithBooks},
	{"trickle", false, (*options).trickle},
	{"process", false, (*options).inProcess},
	{"litellm", true, (*options).liteLLM},
	{"profile", true, (*options).profile},
	{"smoke", true, (*options).smoke},
}

func main() {
	o := options{log: os.Stderr}
	flag.StringVar(&o.collector, "collector", "build/otelcol-cloudzero", "the built distribution")
	flag.StringVar(&o.captures, "captures", "testdata/captures", "the folder of recorded traffic")
	flag.StringVar(&o.source, "source", "cloudzeroexporter/cmd/bench", "this command's folder, beside whose code the Go benchmarks lie")
	flag.StringVar(&o.out, "out", "", "a Markdown `file` whose sections are replaced by what is measured")
	flag.StringVar(&o.only, "only", "", "measure only these, with commas between them: "+names(measurements))
	flag.StringVar(&o.python, "python", "build/litellm/bin/python", "a Python that has LiteLLM and polars, for -only litellm")
	flag.StringVar(&o.temp, "temp", "", "where the books are kept meanwhile; empty is the system's folder for temporary files")
	flag.IntVar(&o.repetitions, "repetitions", 3, "of the comparison; medians are reported")
	flag.Int64Var(&o.calls, "spans-per-run", 1_000_000, "how many spans are sent to each collector of the comparison; the queue gets a fifth of them")
	flag.IntVar(&o.load.Spans, "spans", 100, "of a request")
	flag.IntVar(&o.load.Senders, "senders", 8, "clients that send at once")
	flag.IntVar(&o.load.Teams, "teams", 10, "teams")
	flag.IntVar(&o.load.Users, "users", 20, "users")
	flag.IntVar(&o.load.Models, "models", 5, "models; teams x users x models is the number of rows")
	flag.Float64Var(&o.load.Duplicates, "duplicates", 0, "share of calls that were sent before, 0 to below 1")
	flag.Float64Var(&o.load.Others, "others", 0, "share of spans that are no model calls, 0 to below 1")
	flag.Float64Var(&o.load.Rate, "rate", 0, "requests a second of the comparison; 0 is as many as are taken")
	flag.BoolVar(&o.load.HTTP, "http", false, "send over OTLP/HTTP instead of gRPC")
	dialects := flag.String("dialects", "v2,v1", "LiteLLM's ways to tell of calls")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.choose(*dialects)
	if err == nil {
		err = o.run(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func names(all []measurement) string {
	var list []string
	for _, m := range all {
		list = append(list, m.name)
	}
	return strings.Join(list, ", ")
}

func (o *options) choose(dialects string) error {
	for name := range strings.SplitSeq(dialects, ",") {
		i := slices.IndexFunc(allDialects, func(d dialect) bool { return d.name == name })
		if i < 0 {
			return fmt.Errorf("-dialects: %q is neither v2 nor v1", name)
		}
		o.dialects = append(o.dialects, allDialects[i])
	}
	for name := range strings.SplitSeq(o.only, ",") {
		if o.only != "" && !slices.ContainsFunc(measurements, func(m measurement) bool { return m.name == name }) {
			return fmt.Errorf("-only: %q is none of %s", name, names(measurements))
		}
	}
	return nil
}

// run makes the measurements, one after the other, and tells of each at once.
func (o *options) run(ctx context.Context) error {
	about, err := aboutMachine(ctx)
	if err != nil {
		return err
	}
	for _, m := range measurements {
		if o.only == "" && m.byHand || o.only != "" && !slices.Contains(strings.Split(o.only, ","), m.name) {
			continue
		}
		o.progress("%s begins", m.name)
		s, err := m.make(o, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		s.measured = about
		fmt.Println(s.markdown())
		if o.out != "" && s.title != "" {
			if err := replaceSection(o.out, s); err != nil {
				return err
			}
		}
	}
	return errors.Join(ctx.Err())
}

// progress tells who waits what has been measured.
func (o *options) progress(format string, values ...any) {
	_, _ = fmt.Fprintf(o.log, time.Now().Format(time.TimeOnly)+" "+format+"\n", values...)
}

// generator sends a dialect's calls to the collector of the stage.
func (o *options) generator(s *stage, d dialect, cfg load.Config) (*load.Generator, error) {
	cfg.Capture = filepath.Join(o.captures, d.capture)
	return load.New(cfg, s.target(cfg.HTTP))
}
