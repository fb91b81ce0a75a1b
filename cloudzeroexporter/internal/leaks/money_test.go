package leaks

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

func dollars(t require.TestingT, s string) billing.Amount {
	a, err := billing.ParseAmount(s)
	require.NoError(t, err)
	return a
}

// spend books a cost in this hour, as spans do, and tells it as metrics do.
func (r *rig) spend(bySpans, byMetrics string) {
	hour := billing.HourOf(time.Now())
	r.book(hour, dollars(r.t, bySpans))
	r.MetricsCost(hour, dollars(r.t, byMetrics))
}

func TestMoneyInOneAndNotInTheOtherIsFound(t *testing.T) {
	t.Parallel()
	type hours [][2]string // by spans and by metrics
	steady := func(n int, spans, metrics string) (h hours) {
		for range n {
			h = append(h, [2]string{spans, metrics})
		}
		return h
	}
	for name, c := range map[string]struct {
		hours hours
		want  string // empty: all is well
	}{
		"the same": {hours: steady(48, "10.000000000000001", "10.000000000000001")},
		"no spans": {
			hours: steady(4, "0", "10"),
			want:  "LiteLLM's metrics tell of $10 in the hour up to 2000-01-01T02:00:00Z, its spans of $0.",
		},
		"no metrics but for one hour": {
			hours: append(steady(1, "10", "10"), steady(3, "10", "0")...),
			want:  "LiteLLM's spans tell of $10 in the hour up to 2000-01-01T02:00:00Z, its metrics of $0.",
		},
		"half of the spans": {
			hours: steady(6, "5", "10"),
			want:  "LiteLLM's metrics tell of $20 in the 2 hours up to 2000-01-01T03:00:00Z, its spans of $10.",
		},
		"a tenth of the spans is lost": {
			hours: steady(24, "9", "10"),
			want:  "LiteLLM's metrics tell of $100 in the 10 hours up to 2000-01-01T11:00:00Z, its spans of $90.",
		},
		"a hundredth of the spans is lost": {
			hours: steady(110, "0.99", "1"),
			want:  "LiteLLM's metrics tell of $100 in the 100 hours up to 2000-01-05T05:00:00Z, its spans of $99.",
		},
		"a tenth of the metrics is lost": {
			hours: steady(24, "10", "9"),
			want:  "LiteLLM's spans tell of $100 in the 10 hours up to 2000-01-01T11:00:00Z, its metrics of $90.",
		},
		"under way over the hour":                {hours: hours{{"10", "10"}, {"10", "2"}, {"10", "18"}, {"10", "10"}, {"10", "3"}, {"0", "7"}, {"0", "0"}, {"0", "0"}}},
		"all of a batch job under way":           {hours: hours{{"1", "1"}, {"100", "0"}, {"0", "100"}, {"0", "0"}, {"0", "0"}, {"0", "0"}}},
		"the noise of doubles":                   {hours: steady(100, "10.000001", "10")},
		"the hour of the start, told in part":    {hours: hours{{"100", "1"}, {"10", "10"}, {"10", "10"}, {"10", "10"}, {"10", "10"}}},
		"calls that were under way at the start": {hours: hours{{"100", "1"}, {"0", "50"}, {"0", "0"}, {"0", "0"}, {"0", "0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				r.calls(1)
				said := ""
				pass(time.Minute)
				for _, h := range c.hours {
					r.spend(h[0], h[1])
					pass(time.Hour)
					for _, w := range r.Warnings() {
						if said == "" && w.Kind == MetricsDiffer {
							said = w.What
						}
					}
				}
				assert.Equal(t, c.want, said)
			})
		})
	}
}

func TestMoneyIsComparedOnlyWhereBothArrive(t *testing.T) {
	t.Parallel()
	for name, spend := range map[string]func(*rig){
		"metrics alone": func(r *rig) { r.spend("0", "10") },
		"spans alone":   func(r *rig) { r.calls(1); r.spend("10", "0") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(r *rig) {
				for range 24 {
					spend(r)
					pass(time.Hour)
				}
				assert.Empty(t, r.kinds())
			})
		})
	}
}

// TestLateSpansMendTheComparison: spans that a queue held back for hours.
func TestLateSpansMendTheComparison(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.calls(1)
		pass(time.Hour + time.Minute)
		for range 4 {
			r.spend("0", "10")
			pass(time.Hour)
		}
		assert.Equal(t, []string{"metrics_differ"}, r.kinds())
		for i := range 4 {
			hour := billing.HourOf(time.Now()) - billing.Hour(i) - 1
			r.book(hour, dollars(t, "10"))
		}
		pass(2*time.Hour + endAfter)
		assert.Empty(t, r.kinds())
	})
}

func TestComparedHoursAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.calls(1)
		for range 3 * maxHours {
			r.spend("1", "1")
			pass(time.Hour)
		}
		for i := range 10 * maxHours {
			r.MetricsCost(billing.Hour(i), dollars(t, "1")) // a clock that runs wild
		}
		r.mu.Lock()
		assert.LessOrEqual(t, len(r.money.metrics), 2*maxHours+1)
		r.mu.Unlock()
		pass(2 * time.Hour)
		r.mu.Lock()
		assert.LessOrEqual(t, len(r.money.metrics), maxHours+3)
		r.mu.Unlock()
		assert.Empty(t, r.kinds())
	})
}

// TestCallsThatBothTellOfAreNeverALeak: whatever calls there are, as long as each
// is told by a span, in the hour of its start, and by metrics, when it has ended.
func TestCallsThatBothTellOfAreNeverALeak(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const begin, hours = billing.Hour(1000), 30
		m := newMoney(nil, begin.Start().Add(time.Minute))
		spans := make(map[billing.Hour]billing.Amount)
		for i := range rapid.IntRange(0, 200).Draw(t, "calls") {
			start := begin.Start().Add(time.Duration(rapid.IntRange(0, hours*3600-1).Draw(t, "start")) * time.Second)
			end := start.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
			cost := dollars(t, fmt.Sprintf("%d.%015d", rapid.IntRange(0, 20).Draw(t, "dollars"), i+1))
			m.metrics[billing.HourOf(end)] = m.metrics[billing.HourOf(end)].Add(cost)
			spans[billing.HourOf(start)] = spans[billing.HourOf(start)].Add(cost)
		}
		for last := begin + 1; last < begin+hours; last++ {
			require.Empty(t, m.compare(last, spans).what)
		}
	})
}
