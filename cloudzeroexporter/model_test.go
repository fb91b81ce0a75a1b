package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// TestTheWholeAgreesWithAModel does random things to the exporter, and bad ones
// to AnyCost and the storage, and compares with big decimals what became of the
// money. `make torture` does it for long.
func TestTheWholeAgreesWithAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		least := rapid.SampledFrom([]int{1, 10, 50}).Draw(rt, "least") // short ones shrink well, long ones go far
		steps := rapid.SliceOfN(rapid.Custom(drawStep), least, 150).Draw(rt, "steps")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			failure = runModel(t, steps)
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// step is something that happens; what its numbers mean is the action's.
type step struct {
	action  string
	n, m, k int
}

func (s step) String() string { return fmt.Sprintf("%s(%d,%d,%d)", s.action, s.n, s.m, s.k) }

func drawStep(rt *rapid.T) step {
	return step{
		action: rapid.SampledFrom([]string{
			"spend", "spend", "spend", "spend", "repeat", "malformed", "future", "time", "time", "time", "time",
			"fault", "fault", "heal", "disk breaks", "disk mends", "crash", "restart", "reload", "export",
		}).Draw(rt, "action"),
		n: rapid.IntRange(0, 1000).Draw(rt, "n"),
		m: rapid.IntRange(0, 1000).Draw(rt, "m"),
		k: rapid.IntRange(0, 1000).Draw(rt, "k"),
	}
}

// world is the exporter with everything around it, and the model.
type world struct {
	*rig
	t        *testing.T
	disk     *modelDisk
	exporter exporter.Traces
	batches  []*batch
	calls    int
}

// batch is a request of a sender, who repeats it until it is acknowledged.
type batch struct {
	traces ptrace.Traces
	costs  map[string]*big.Rat // by hour and team; "future" for what has no hour of its own
	acked  bool
}

func runModel(t *testing.T, steps []step) error {
	w := &world{rig: newRig(t), t: t}
	w.useDisk(&modelDisk{memory: newMemory()})
	w.archiveAfter = time.Hour // so that most that is told again is in the archive
	sleepUntil(noon.Add(17 * time.Minute))
	w.exporter = w.start()
	for i, s := range steps {
		w.do(s)
		if err := w.invariants(); err != nil {
			return fmt.Errorf("after step %d of %v: %w", i, steps, err)
		}
	}
	if err := w.end(); err != nil {
		return fmt.Errorf("at the end of %v: %w", steps, err)
	}
	return nil
}

func (w *world) do(s step) {
	switch s.action {
	case "spend":
		w.spend(time.Now().Add(-time.Duration(s.n%1800)*time.Minute), s.m, s.k)
	case "future":
		w.spend(time.Now().Add(2*time.Hour+time.Duration(s.n)*time.Minute), s.m, s.k)
	case "repeat":
		if len(w.batches) > 0 {
			w.send(w.batches[s.n%len(w.batches)])
		}
	case "malformed":
		td := ptrace.NewTraces()
		to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		addCall(to, time.Now(), "bad", "gpt-x", []string{"NaN", "-1", "1e300", "x", "0x1"}[s.n%5])
		_ = w.exporter.ConsumeTraces(context.Background(), td) // an error only says that the storage is broken
	case "time":
		pass(time.Duration(s.n%240) * time.Minute)
	case "fault":
		w.anycost.Fail(faultOf(s))
	case "heal":
		w.anycost.Heal()
	case "disk breaks":
		w.disk.broken.Store(true)
	case "disk mends":
		w.disk.broken.Store(false)
	case "export":
		_, _ = w.last.shipper.Export(context.Background(), shipper.Request{}) // what fails stays due
	default:
		w.again(s)
	}
}

// again ends the exporter and starts another on what the first one left.
func (w *world) again(s step) {
	synctest.Wait() // nothing is half done but what waits for AnyCost or time
	if s.action == "crash" {
		w.disk.broken.Store(true) // the old process reaches its disk no more
	}
	left := w.disk.copied()
	_ = w.exporter.Shutdown(context.Background())
	if s.action != "crash" {
		left = w.disk.copied()
	}
	if s.action == "reload" {
		w.cfg.Rows.SplitBy = [][]string{{"team"}, {"team", "user"}, {"team", "model_group"}}[s.n%3]
	}
	w.useDisk(left)
	w.exporter = w.start()
}

func faultOf(s step) anycosttest.Fault {
	f := []anycosttest.Fault{
		{Status: http.StatusServiceUnavailable},
		{Status: http.StatusTooManyRequests, RetryAfter: "90"},
		{Status: http.StatusBadRequest, Body: `{"error":{"message":"no","type":"ValidationError"}}`},
		{Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`, Method: http.MethodPost},
		{Status: http.StatusRequestEntityTooLarge, Method: http.MethodPost},
		{Status: http.StatusOK, Body: "<html>"},
		{DropBefore: true},
		{DropAfter: true},
		{Delay: time.Duration(s.m%100) * time.Second},
		{EffectAfter: time.Duration(s.m%14) * time.Minute, Method: http.MethodPost},
		{Status: http.StatusGatewayTimeout, Method: http.MethodPost},
	}[s.n%11]
	f.Times = 1 + s.k%4
	return f
}

// spend makes a request with a few new calls and sends it.
func (w *world) spend(at time.Time, teams, size int) {
	b := &batch{traces: ptrace.NewTraces(), costs: make(map[string]*big.Rat)}
	to := b.traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 1 + size%5 {
		w.calls++
		team := fmt.Sprintf("team-%d", (teams+i)%3)
		cost := fmt.Sprintf("%d.%015d", w.calls%3, w.calls*w.calls*7919+1)
		addCall(to, at, team, "gpt-4o", cost)
		span := to.At(to.Len() - 1)
		span.SetTraceID(pcommon.TraceID{byte(w.calls), byte(w.calls >> 8), 1})
		key := at.UTC().Format("01-02T15") + " " + team
		if at.After(time.Now().Add(time.Hour)) {
			key = "future"
		}
		value, _ := new(big.Rat).SetString(cost)
		if b.costs[key] == nil {
			b.costs[key] = new(big.Rat)
		}
		b.costs[key].Add(b.costs[key], value)
	}
	w.batches = append(w.batches, b)
	w.send(b)
}

func (w *world) send(b *batch) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if w.exporter.ConsumeTraces(ctx, b.traces) == nil {
		b.acked = true
	}
}

// invariants hold at any time.
func (w *world) invariants() error {
	acked, all := new(big.Rat), new(big.Rat)
	for _, b := range w.batches {
		for _, cost := range b.costs {
			all.Add(all, cost)
			if b.acked {
				acked.Add(acked, cost)
			}
		}
	}
	read := rat(w.last.books.Balance().Read().String())
	held := rat(w.anycost.Total())
	switch {
	case read.Cmp(acked) < 0:
		return fmt.Errorf("the books have read %s of the %s that was acknowledged", read.FloatString(15), acked.FloatString(15))
	case read.Cmp(all) > 0:
		return fmt.Errorf("the books have read %s, and only %s was sent", read.FloatString(15), all.FloatString(15))
	case held.Cmp(all) > 0:
		return fmt.Errorf("AnyCost holds %s, and only %s was sent", held.FloatString(15), all.FloatString(15))
	}
	for _, m := range w.last.shipper.State(time.Now()).Months {
		if sum := m.Posted.Add(m.Waiting).Add(m.Held); sum != m.Read {
			return fmt.Errorf("month %s: read %s is not posted %s + waiting %s + held %s", m.Month.Month, m.Read, m.Posted, m.Waiting, m.Held)
		}
	}
	if v := w.anycost.Violations(); len(v) > 0 {
		return errors.New(v[0])
	}
	return nil
}

// end ends all faults, lets the senders repeat and two rounds pass, and compares
// AnyCost with the model.
func (w *world) end() error {
	w.anycost.Heal()
	w.disk.broken.Store(false)
	pass(11 * time.Second) // the books try again by themselves
	want, future := make(map[string]*big.Rat), new(big.Rat)
	for _, b := range w.batches {
		if !b.acked {
			w.send(b)
		}
		if !b.acked {
			return errors.New("a request is not acknowledged although nothing is broken any more")
		}
		for key, cost := range b.costs {
			if key == "future" {
				future.Add(future, cost)
				continue
			}
			if want[key] == nil {
				want[key] = new(big.Rat)
			}
			want[key].Add(want[key], cost)
		}
	}
	pass(4 * time.Hour)
	if _, err := w.last.shipper.Export(context.Background(), shipper.Request{}); err != nil { // what was refused is tried when asked for
		return err
	}
	pass(2 * time.Hour)
	if err := w.invariants(); err != nil {
		return err
	}
	if c := w.last.shipper.State(time.Now()).Conflicts; len(c) > 0 {
		return fmt.Errorf("nothing else writes, but %s", c[0].Reason)
	}
	return w.compare(want, future)
}

func (w *world) compare(want map[string]*big.Rat, future *big.Rat) error {
	got := make(map[string]*big.Rat)
	for _, row := range w.anycost.Rows() {
		key := row.Hour()[5:13] + " " + row.Tag("team_id")
		if got[key] == nil {
			got[key] = new(big.Rat)
		}
		got[key].Add(got[key], rat(row["cost/cost"]))
	}
	all := new(big.Rat).Set(future)
	for key, cost := range want {
		all.Add(all, cost)
		if got[key] == nil || got[key].Cmp(cost) < 0 {
			return fmt.Errorf("%s: AnyCost holds %v, not %s", key, got[key], cost.FloatString(15))
		}
	}
	if total := rat(w.anycost.Total()); total.Cmp(all) != 0 {
		return fmt.Errorf("AnyCost holds %s, not %s", total.FloatString(15), all.FloatString(15))
	}
	for _, m := range w.last.shipper.State(time.Now()).Months {
		if !m.Waiting.IsZero() || !m.Held.IsZero() {
			return fmt.Errorf("month %s: %s waits and %s is held", m.Month.Month, m.Waiting, m.Held)
		}
	}
	return nil
}

func rat(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "eE") {
		panic("not a decimal: " + s)
	}
	return r
}

func (w *world) useDisk(d *modelDisk) {
	w.disk = d
	w.host.extensions[diskID] = d
}

// modelDisk is a storage that can break: then it neither reads nor writes.
type modelDisk struct {
	component.StartFunc
	component.ShutdownFunc
	*memory
	broken atomic.Bool
}

func (d *modelDisk) GetClient(_ context.Context, _ component.Kind, _ component.ID, name string) (storage.Client, error) {
	if d.broken.Load() {
		return nil, errors.New("the disk is broken")
	}
	return partOf(d, name), nil
}

func (d *modelDisk) Get(ctx context.Context, key string) ([]byte, error) {
	if d.broken.Load() {
		return nil, errors.New("the disk is broken")
	}
	return d.memory.Get(ctx, key)
}

func (d *modelDisk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *modelDisk) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if d.broken.Load() {
		return errors.New("the disk is broken")
	}
	return d.memory.Batch(ctx, ops...)
}

func (d *modelDisk) copied() *modelDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := newMemory()
	for key, value := range d.values {
		next.values[key] = value
	}
	return &modelDisk{memory: next}
}
