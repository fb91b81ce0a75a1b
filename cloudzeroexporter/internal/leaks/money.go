package leaks

import (
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

const (
	// maxHours is how many hours are compared at once: a week.
	maxHours = 7 * 24
	// late is how long after its end an hour waits for what is late.
	late = 10 * time.Minute
	// noise is the part of the money that is not compared. Metrics are sums of
	// doubles, whose last digits are noise in a long-lived LiteLLM.
	noise = 1_000_000
)

// MoneyOf returns what calls cost, by hour, from an hour on.
type MoneyOf func(from billing.Hour) map[billing.Hour]billing.Amount

// money is what LiteLLM's metrics tell, to be compared with its spans.
type money struct {
	spans   MoneyOf
	metrics map[billing.Hour]billing.Amount
	// first is the hour that we began in, of which the metrics tell a part.
	first billing.Hour
	// bySpan says that any span came at all.
	bySpan bool
	// judged is the hour that was judged last.
	judged billing.Hour
	last   verdict
}

func newMoney(spans MoneyOf, now time.Time) money {
	first := billing.HourOf(now)
	return money{spans: spans, metrics: make(map[billing.Hour]billing.Amount), first: first, judged: first}
}

// MetricsCost adds the cost that a batch of LiteLLM's metrics tells of an hour:
// what is new in it, not the running total.
func (d *Detector) MetricsCost(hour billing.Hour, cost billing.Amount) {
	if cost.IsZero() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	m := &d.money
	if _, known := m.metrics[hour]; !known && len(m.metrics) > 2*maxHours {
		return // hours from all over time: a clock is broken
	}
	m.metrics[hour] = m.metrics[hour].Add(cost)
}

// due says which hour is to be judged next, if any: the last one whose
// next hour has ended, and is not late any more. Spans are booked in the hour
// that a call started in and metrics in that of its end, so that only the next
// hour shows what was under way.
func (m *money) due(now time.Time) (last billing.Hour, due bool) {
	if !m.bySpan || len(m.metrics) == 0 {
		return 0, false
	}
	last = billing.HourOf(now.Add(-late)) - 2
	return last, last > m.judged
}

// judge compares the hours up to the last one with what spans tell of them.
func (m *money) judge(last billing.Hour, spans map[billing.Hour]billing.Amount) {
	m.judged = last
	for hour := range m.metrics {
		if hour < last-maxHours {
			delete(m.metrics, hour)
		}
	}
	m.last = m.compare(last, spans)
}

// compare looks at the last hour, the last two, and so on, because a small leak
// shows in many hours only. In each such time both tell of the same calls, but
// for those under way when it began or ended: at its beginning the metrics have
// more, by what the spans' last hour before it can have and the metrics' first
// hour can have, and at its end likewise the spans. What goes beyond that has
// leaked.
func (m *money) compare(last billing.Hour, spans map[billing.Hour]billing.Amount) verdict {
	var told, measured billing.Amount
	end := least(spans[last], m.metrics[last+1])
	for first := last; first > m.first && first > last-maxHours; first-- {
		told, measured = told.Add(spans[first]), measured.Add(m.metrics[first])
		begin := least(spans[first-1], m.metrics[first])
		hours := last - first + 1
		switch {
		case isMore(measured, told.Add(begin)):
			return verdict{fmt.Sprintf("LiteLLM's metrics tell of $%s %s, its spans of $%s.", measured, during(hours, last), told), int64(hours)}
		case isMore(told, measured.Add(end)):
			return verdict{fmt.Sprintf("LiteLLM's spans tell of $%s %s, its metrics of $%s.", told, during(hours, last), measured), int64(hours)}
		}
	}
	return verdict{}
}

func during(hours, last billing.Hour) string {
	if hours == 1 {
		return fmt.Sprintf("in the hour up to %s", last+1)
	}
	return fmt.Sprintf("in the %d hours up to %s", int64(hours), last+1)
}

// isMore says that a is more than b, by more than noise.
func isMore(a, b billing.Amount) bool {
	if a.Cmp(b) <= 0 {
		return false
	}
	bearable, err := billing.AmountOf(a.Float64() / noise)
	return err == nil && a.Sub(b).Cmp(bearable) > 0
}

func least(a, b billing.Amount) billing.Amount {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}
