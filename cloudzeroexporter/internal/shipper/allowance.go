package shipper

import (
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// Limits are what AnyCost takes of one connection in one month.
type Limits struct{ Bytes, Rows int }

// allowance is what the hour may take: what the other hours of its month have
// left, spread over the hours that are still to be posted. Quiet hours save for
// busy ones, and an hour keeps what it has.
func (r *round) allowance(h ledger.Summary, now time.Time) room {
	month := r.budget(h.Hour.Month(), now)
	left := room{month.bytes + h.Posted.Bytes, month.rows + h.Posted.Rows}
	return room{
		bytes: max(0, min(left.bytes, max(left.bytes/month.hours, h.Posted.Bytes))),
		rows:  max(0, min(left.rows, max(left.rows/month.hours, h.Posted.Rows))),
	}
}

// budget is what a month has left, and for how many hours.
type budget struct {
	room
	hours int
}

// budget looks at the month once for all hours that are packed before the next
// post changes it.
func (r *round) budget(month billing.Month, now time.Time) budget {
	if b, known := r.budgets[month]; known {
		return b
	}
	b := budget{room: room{r.opts.Limits.Bytes, r.opts.Limits.Rows}, hours: r.hoursLeft(month, now)}
	for _, m := range r.books.Balance().Months {
		if m.Month == month {
			b.bytes -= m.Bytes
			b.rows -= m.Rows
		}
	}
	if r.budgets == nil {
		r.budgets = make(map[billing.Month]budget)
	}
	r.budgets[month] = b
	return b
}

// hoursLeft is the number of hours of the month that are still to be posted:
// those to come, this one included, and those of the past that AnyCost lacks.
func (r *round) hoursLeft(month billing.Month, now time.Time) int {
	current := billing.HourOf(now)
	hours := max(0, int((month+1).First()-max(current, month.First())))
	for _, h := range r.books.Hours() {
		if h.Hour.Month() == month && h.Hour < current && h.Unposted() {
			hours++
		}
	}
	return max(1, hours)
}
