package cloudzeroexporter

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

const capturesFolder = "../testdata/captures"

// withoutCosts is the one capture whose spans carry no cost.
const withoutCosts = "1.74.15-default"

// setUpWrong are captures of LiteLLMs whose spans lack most of the calls.
var setUpWrong = []string{"1.106.2-v1-default", "1.80.17-default", "1.92.2-default"}

// afterCaptures is a time when the hours of all captures have closed.
var afterCaptures = time.Date(2026, 11, 24, 7, 30, 0, 0, time.UTC)

// TestCapturesAreBilledToTheLastDigit replays what real LiteLLMs sent, in
// several ways, and compares what AnyCost holds with what LiteLLM computed.
func TestCapturesAreBilledToTheLastDigit(t *testing.T) {
	t.Parallel()
	for _, name := range captureNames(t) {
		if name == withoutCosts {
			continue
		}
		for way, replay := range replays {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				capture := loadCapture(t, name)
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					sleepUntil(afterCaptures)
					replay(t, r.start(), capture.Requests)
					time.Sleep(time.Hour) // one round
					synctest.Wait()
					assert.Equal(t, capture.Lines(), captures.Posted(r.anycost.Rows()))
					assert.Equal(t, capture.Total, r.anycost.Total())
					assert.Empty(t, r.anycost.Violations())
				})
			})
		}
	}
}

var replays = map[string]func(*testing.T, consumer.Traces, []ptrace.Traces){
	"as recorded": replayInOrder,
	"every request twice": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		for _, td := range requests {
			replayInOrder(t, c, []ptrace.Traces{td, td})
		}
	},
	"all, and then all again": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		replayInOrder(t, c, slices.Concat(requests, requests))
	},
	"backwards": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		requests = slices.Clone(requests)
		slices.Reverse(requests)
		replayInOrder(t, c, requests)
	},
	"shuffled": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		for range 3 {
			replayInOrder(t, c, shuffled(requests))
		}
	},
	"four clients at once": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		var clients sync.WaitGroup
		for i := range 4 {
			clients.Go(func() {
				for j := i; j < len(requests); j += 4 {
					assert.NoError(t, c.ConsumeTraces(t.Context(), requests[j]))
				}
			})
		}
		clients.Wait()
	},
	"four clients that all send everything": func(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { replayInOrder(t, c, shuffled(requests)) })
		}
		clients.Wait()
	},
}

func replayInOrder(t *testing.T, c consumer.Traces, requests []ptrace.Traces) {
	consumeAll(t, c.ConsumeTraces, requests)
}

func consumeAll[T any](t *testing.T, consume func(context.Context, T) error, requests []T) {
	for _, request := range requests {
		assert.NoError(t, consume(t.Context(), request))
	}
}

func shuffled(requests []ptrace.Traces) []ptrace.Traces {
	requests = slices.Clone(requests)
	rand.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	return requests
}

// TestSpansWithoutCostsAreCountedAsUnpriced replays a release whose spans know
// tokens only: the usage is seen, at no cost, and is told apart from free calls.
func TestSpansWithoutCostsAreCountedAsUnpriced(t *testing.T) {
	t.Parallel()
	capture := loadCapture(t, withoutCosts)
	var calls, hits int64
	for _, line := range capture.Truth {
		calls, hits = calls+line.Calls, hits+line.CacheHits
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		sleepUntil(afterCaptures)
		replayInOrder(t, r.start(), capture.Requests)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, "0", r.anycost.Total())
		var tokens int64
		for _, row := range r.anycost.Rows() {
			if row["usage/units"] == "tokens" {
				amount, err := strconv.ParseInt(row["usage/amount"], 10, 64)
				require.NoError(t, err)
				tokens += amount
			}
		}
		const told = 127827 // of all the capture's calls, however often told
		outcomes, tokensBy := r.outcomes("spans"), r.outcomes("tokens")
		assert.Equal(t, calls-hits, outcomes["unpriced"])
		assert.Equal(t, hits, outcomes["free"])
		assert.Zero(t, outcomes["billed"])
		assert.Equal(t, tokensBy["unpriced"], tokens)
		assert.EqualValues(t, told, tokensBy["unpriced"]+tokensBy["free"]+tokensBy["duplicate"])
	})
}

func captureNames(t *testing.T) []string {
	t.Helper()
	all := capturesWith(t, "traces.jsonl.gz", 9+len(setUpWrong))
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(setUpWrong, name) })
}

// capturesWith are the captures that have the file, which are so many.
func capturesWith(t *testing.T, file string, count int) []string {
	t.Helper()
	folders, err := filepath.Glob(capturesFolder + "/*/" + file)
	require.NoError(t, err)
	require.Len(t, folders, count)
	names := make([]string, len(folders))
	for i, f := range folders {
		names[i] = filepath.Base(filepath.Dir(f))
	}
	return names
}

func loadCapture(tb testing.TB, name string) *captures.Capture {
	tb.Helper()
	capture, err := captures.Load(filepath.Join(capturesFolder, name))
	require.NoError(tb, err)
	require.NotZero(tb, len(capture.Requests)+len(capture.Metrics))
	return capture
}
