package leaks

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// rig is a detector in a bubble of time.
type rig struct {
	*Detector
	t    *testing.T
	logs *observer.ObservedLogs

	booking sync.Mutex                      // guards spent
	spent   map[billing.Hour]billing.Amount // what spans cost
}

func inBubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	withOptions(t, Options{}, test)
}

func withOptions(t *testing.T, opts Options, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		r := &rig{t: t, logs: logs, spent: make(map[billing.Hour]billing.Amount)}
		opts.Logger = zap.New(core)
		opts.Spans = func(from billing.Hour) map[billing.Hour]billing.Amount {
			r.booking.Lock()
			defer r.booking.Unlock()
			costs := make(map[billing.Hour]billing.Amount)
			for hour, cost := range r.spent {
				if hour >= from {
					costs[hour] = cost
				}
			}
			return costs
		}
		r.Detector = New(opts)
		r.Start()
		defer r.Shutdown()
		test(r)
	})
}

// kinds are what is found now.
func (r *rig) kinds() []string {
	kinds := []string{}
	for _, w := range r.Warnings() {
		kinds = append(kinds, w.Kind.String())
	}
	return kinds
}

// book adds what spans cost in an hour.
func (r *rig) book(hour billing.Hour, cost billing.Amount) {
	r.booking.Lock()
	defer r.booking.Unlock()
	r.spent[hour] = r.spent[hour].Add(cost)
}

// open is the number of open traces.
func (r *rig) open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.traces.open)
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// seeing runs one batch.
func (r *rig) seeing(see func(*Batch)) {
	b := r.Watch()
	see(b)
	b.Done()
}

func newTrace() (id pcommon.TraceID) {
	binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	return id
}

// request is a server span of a successful chat.
func requestSpan(id pcommon.TraceID) ptrace.Span {
	span := ptrace.NewSpan()
	span.SetTraceID(id)
	span.SetKind(ptrace.SpanKindServer)
	a := span.Attributes()
	a.PutStr("http.route", "/v1/chat/completions")
	a.PutStr("http.request.method", "POST")
	a.PutInt("http.response.status_code", 200)
	return span
}

const (
	mark1 = "metadata.user_api_key_hash"
	mark2 = "litellm.call_id"
)

// callRecord is a billed call; its dialect is that of the marking attribute.
func callRecord(id pcommon.TraceID, mark string) *usage.Record {
	span := ptrace.NewSpan()
	span.SetTraceID(id)
	span.SetKind(ptrace.SpanKindClient)
	span.Attributes().PutStr(mark, "x")
	return &usage.Record{
		Outcome: billing.Billed, Provider: "openai", Model: "gpt-4o", Tokens: billing.Tokens{Input: 10, Output: 5}, Span: span,
	}
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	t.Parallel()
	New(Options{}).Shutdown()
	d := New(Options{})
	d.Start()
	d.Shutdown()
	d.Shutdown()
}

func TestAFindingEndsWhenItHasBeenGoneForAnHour(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		meet := func(v verdict) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.meetLocked(Sampled, v, time.Now())
		}
		seen := func() { meet(verdict{"It leaks.", 3}) }
		gone := func() { meet(verdict{}) }
		began := time.Now()
		seen()
		time.Sleep(time.Minute)
		seen()
		gone()
		time.Sleep(endAfter - time.Second)
		gone()
		assert.Equal(r.t, []Warning{{Sampled, "It leaks.", advices[Sampled], began, 3}}, r.Warnings())
		assert.Equal(r.t, [Kinds]int64{Sampled: 3}, r.Counts())
		time.Sleep(time.Second)
		gone()
		assert.Empty(r.t, r.Warnings())
		assert.Equal(r.t, [Kinds]int64{}, r.Counts())
		seen()
		messages := []string{}
		for _, line := range r.logs.All() {
			messages = append(messages, line.Message)
		}
		warning := "Money may not arrive. It leaks. " + advices[Sampled]
		assert.Equal(r.t, []string{warning, "This has not been seen for an hour: It leaks.", warning}, messages)
	})
}

func TestEveryKindHasANameAndAnAdvice(t *testing.T) {
	t.Parallel()
	names := []string{}
	for k := range Kinds {
		names = append(names, Kind(k).String())
		assert.NotEmpty(t, advices[k])
	}
	slices.Sort(names)
	assert.Len(t, slices.Compact(names), Kinds)
	assert.NotContains(t, names, "")
}

func TestAWindowHasTheLastMinutesOrEnoughToJudge(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	w := window{began: at}
	w.now = counts{9, 1}
	assert.Equal(t, counts{}, w.roll(at.Add(23*time.Hour)), "too little to judge")
	assert.Equal(t, counts{9, 1}, w.now)
	w.now = counts{10, 1}
	assert.Equal(t, counts{}, w.roll(at.Add(halfWindow-1)), "too early")
	assert.Equal(t, counts{}, w.roll(at.Add(halfWindow)))
	assert.Equal(t, counts{}, w.now)
	assert.Equal(t, counts{10, 1}, w.sum())
	w.now = counts{20, 2}
	assert.Equal(t, counts{30, 3}, w.sum())
	assert.Equal(t, counts{10, 1}, w.roll(at.Add(2*halfWindow)))
	assert.Equal(t, counts{20, 2}, w.sum())
	assert.Equal(t, counts{20, 2}, w.roll(at.Add(2*halfWindow+stale)))
	assert.Equal(t, counts{}, w.sum())
}
