package leaks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// called sends so many calls of a model, in one batch.
func (r *rig) called(n int, model string, o billing.Outcome, change ...func(*usage.Record)) {
	r.seeing(func(b *Batch) {
		for range n {
			call := callRecord(newTrace(), mark2)
			call.Model, call.Outcome = model, o
			for _, c := range change {
				c(call)
			}
			b.Call(call)
		}
	})
}

func cached(r *usage.Record)        { r.CacheHit = true }
func withoutTokens(r *usage.Record) { r.Tokens = billing.Tokens{} }

func TestModelsThatLostTheirPriceAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		see  func(*rig)
		want string // what is said of models; empty: nothing
	}{
		"no cost any more":                {func(r *rig) { r.called(5, "gpt-4o", billing.Unpriced) }, "openai/gpt-4o."},
		"a cost of 0, as v2 says it":      {func(r *rig) { r.called(5, "gpt-4o", billing.Free) }, "openai/gpt-4o."},
		"a few":                           {func(r *rig) { r.called(4, "gpt-4o", billing.Unpriced) }, ""},
		"hits of the response cache":      {func(r *rig) { r.called(50, "gpt-4o", billing.Free, cached) }, ""},
		"failures":                        {func(r *rig) { r.called(50, "gpt-4o", billing.Failed) }, ""},
		"0 for nothing":                   {func(r *rig) { r.called(50, "gpt-4o", billing.Free, withoutTokens) }, ""},
		"a model that never had a price":  {func(r *rig) { r.called(9, "own", billing.Unpriced); r.called(99, "gpt-4o", billing.Billed) }, ""},
		"one of twenty":                   {func(r *rig) { r.called(95, "gpt-4o", billing.Billed); r.called(5, "gpt-4o", billing.Free) }, ""},
		"a model of another provider":     {func(r *rig) { r.called(9, "gpt-4o", billing.Free, func(r *usage.Record) { r.Provider = "azure" }) }, ""},
		"many models, of which five stay": {loseManyPrices, "openai/m0, openai/m1, openai/m2, openai/m3, openai/m4 and 2 more."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				r.called(40, "gpt-4o", billing.Billed)
				pass(judgeEvery)
				assert.Empty(t, r.kinds())
				c.see(r)
				pass(judgeEvery)
				said := ""
				for _, w := range r.Warnings() {
					if w.Kind == LostPrice {
						_, said, _ = strings.Cut(w.What, "for models that had one: ")
					}
				}
				assert.Equal(t, c.want, said)
			})
		})
	}
}

func loseManyPrices(r *rig) {
	for i := range 7 {
		r.called(9, fmt.Sprintf("m%d", i), billing.Billed)
	}
	for i := range 7 {
		r.called(9, fmt.Sprintf("m%d", i), billing.Free)
	}
}

func TestAShareOfUnpricedCallsThatJumpsIsFound(t *testing.T) {
	t.Parallel()
	day := func(r *rig, outcomes ...billing.Outcome) {
		for range 24 * 6 {
			for _, o := range outcomes {
				r.called(20, o.String(), o) // a model for each, so that none had a price before
			}
			pass(10 * time.Minute)
		}
	}
	for name, c := range map[string]struct {
		see  func(*rig)
		want []string
	}{
		"most from the beginning":         {func(r *rig) { r.called(10, "a", billing.Unpriced); r.called(10, "b", billing.Billed) }, []string{"unpriced"}},
		"some from the beginning":         {func(r *rig) { r.called(9, "a", billing.Unpriced); r.called(11, "b", billing.Billed) }, []string{}},
		"too few to judge":                {func(r *rig) { r.called(19, "a", billing.Unpriced) }, []string{}},
		"price 0 from the beginning":      {func(r *rig) { r.called(1000, "own", billing.Free) }, []string{}},
		"price 0 for a day":               {func(r *rig) { day(r, billing.Free) }, []string{}},
		"half at price 0 for a day":       {func(r *rig) { day(r, billing.Free, billing.Billed) }, []string{}},
		"half at 0 after a day of prices": {func(r *rig) { day(r, billing.Billed); day1(r) }, []string{"unpriced"}},
		"a fifth at 0 after a day of price": {func(r *rig) {
			day(r, billing.Billed)
			r.called(80, "b", billing.Billed)
			r.called(20, "new", billing.Free)
		}, []string{}},
		"cache hits after a day of prices": {func(r *rig) { day(r, billing.Billed); r.called(500, "b", billing.Free, cached) }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				c.see(r)
				pass(judgeEvery)
				assert.Equal(t, c.want, r.kinds())
			})
		})
	}
}

// day1 has as many new calls at 0 as with a cost.
func day1(r *rig) {
	r.called(100, "b", billing.Billed)
	r.called(100, "new", billing.Free)
}

func TestWhatIsUsualIsNoLeak(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		for range 24 * 6 {
			r.called(20, "b", billing.Billed)
			pass(10 * time.Minute)
		}
		for range 24 * 6 {
			r.called(20, "b", billing.Billed)
			r.called(20, "own", billing.Free)
			pass(10 * time.Minute)
		}
		assert.Empty(t, r.kinds(), "a day later it is usual")
		assert.Len(t, r.logs.FilterMessageSnippet("many more than before").All(), 2, "it was said, and said to be gone")
	})
}

func TestSpansOfOthersNeedNoPrices(t *testing.T) {
	t.Parallel()
	withOptions(t, Options{Foreign: true}, func(r *rig) {
		r.called(100, "a", billing.Billed)
		r.called(1000, "a", billing.Unpriced)
		pass(time.Minute)
		assert.Empty(t, r.kinds())
	})
}

func TestModelsAreBoundedAndForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		known := func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.prices.models)
		}
		for i := range 2 * maxModels {
			r.called(1, fmt.Sprint("m", i), billing.Billed)
		}
		assert.Equal(t, maxModels, known())
		r.judge(time.Now().Add(forgetModel))
		assert.Zero(t, known())
		r.called(9, "new", billing.Billed)
		r.called(9, "new", billing.Free)
		pass(judgeEvery)
		assert.Equal(t, []string{"lost_price"}, r.kinds())
	})
}

func TestABatchOfManyModels(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.seeing(func(b *Batch) {
			for i := range 10 * maxBatchModels {
				call := callRecord(newTrace(), mark2)
				call.Model = fmt.Sprint("m", i)
				b.Call(call)
			}
			assert.Len(t, b.models, maxBatchModels)
		})
	})
}
