package shipper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// Selection chooses hours. The zero value chooses every hour that AnyCost lacks
// something of, the open one and held ones included.
type Selection struct {
	// Ranged says that From and To, which is not in it, choose: hours that were
	// posted already, too.
	Ranged   bool
	From, To billing.Hour
	// Limit, if not 0, takes the newest whole hours that hold at least so many
	// rows.
	Limit int
}

// Request is what an operator wants of an export.
type Request struct {
	Selection
	// Operation is [anycost.ReplaceHourly] when it is empty.
	Operation anycost.Operation
	// ConfirmMonths are months, as 2026-11, in which the books are right and
	// what else is at AnyCost is known.
	ConfirmMonths []string
	// Verify compares what AnyCost holds with what was posted first.
	Verify bool
}

// ConflictError says that an export cannot be done as it was asked for.
type ConflictError struct{ Reason string }

// Error implements error.
func (e *ConflictError) Error() string { return e.Reason }

// Choose returns the chosen hours, oldest first.
func (s *Shipper) Choose(c Selection) []ledger.Summary {
	hours := s.unposted()
	if c.Ranged {
		hours = s.selected(func(h ledger.Summary) bool { return h.Hour >= c.From && h.Hour < c.To && h.Rows > 0 })
	}
	if c.Limit <= 0 {
		return hours
	}
	rows, first := 0, len(hours)
	for first > 0 && rows < c.Limit {
		first--
		rows += hours[first].Rows
	}
	return hours[first:]
}

// check refuses operations that would erase or double what AnyCost holds.
func (r *round) check(q Request, hours []ledger.Summary) error {
	switch q.Operation {
	case "", anycost.ReplaceHourly:
		return nil
	case anycost.Sum:
		for _, h := range hours {
			switch {
			case h.Posted.Revision > 0, h.Posted.Doubt > 0, h.Posted.Origin == ledger.Kept:
				return &ConflictError{fmt.Sprintf("sum would double hour %s, which was posted before; leave the operation out", h.Hour)}
			case !h.Closed(time.Now(), r.opts.Settle):
				return &ConflictError{fmt.Sprintf("hour %s is still open and would have to be added to again; end the range before it", h.Hour)}
			}
		}
		return nil
	case anycost.ReplaceDrop:
		return r.checkWholeMonth(q.Selection, hours)
	default:
		return &ConflictError{fmt.Sprintf("operation %q is none of replace_hourly, sum and replace_drop", q.Operation)}
	}
}

// checkWholeMonth: what replace_drop is not given is gone.
func (*round) checkWholeMonth(c Selection, hours []ledger.Summary) error {
	if !c.Ranged || c.Limit > 0 || len(hours) == 0 || c.From > hours[0].Hour.Month().First() || c.To < (hours[0].Hour.Month()+1).First() {
		return &ConflictError{"replace_drop replaces a whole month: give start_time_utc and end_time_utc of one month, and no limit"}
	}
	bytes := envelopeBytes
	for _, h := range hours {
		if h.Hour.Month() != hours[0].Hour.Month() {
			return &ConflictError{"replace_drop takes the hours of one month only"}
		}
		bytes += 1000 * h.Rows // more than a row takes
	}
	if bytes > anycost.MaxBodyBytes {
		return &ConflictError{fmt.Sprintf("month %s does not fit into one body; leave the operation out", hours[0].Hour.Month())}
	}
	return nil
}

// Export posts what the request chooses and returns after that. The error is
// why it had to stop; the report says how far it came. When ctx ends first, the
// export goes on. There is one at a time: a second gets a [*BusyError].
func (s *Shipper) Export(ctx context.Context, q Request) (Report, error) {
	if err := s.postsNothing(); err != nil {
		return Report{}, err
	}
	progress, err := s.begin()
	if err != nil {
		return Report{}, err
	}
	var report Report
	given := s.do(ctx, func(ctx context.Context) { // it may go on after we have returned
		report, err = s.round(ctx, q, progress, func() []ledger.Summary { return s.Choose(q.Selection) })
		s.end(progress, err)
	})
	switch {
	case errors.Is(given, ErrStopped):
		s.end(progress, given)
		return Report{}, given
	case given != nil:
		return Report{}, given
	}
	return report, err
}

// postsNothing says why there is nobody to post to; nil when there is.
func (s *Shipper) postsNothing() error {
	switch {
	case s.client != nil:
		return nil
	case s.opts.DryRun:
		return ErrDryRun
	default:
		return ErrNoConnection
	}
}

// task is something to do on the shipper's goroutine.
type task struct {
	do   func(context.Context)
	done chan struct{}
}

// do does something on the shipper's goroutine, where nothing else talks to
// AnyCost, and returns when it is done. When ctx ends first, it goes on.
func (s *Shipper) do(ctx context.Context, what func(context.Context)) error {
	t := task{do: what, done: make(chan struct{})}
	select {
	case s.tasks <- t:
	case <-s.done:
		return ErrStopped
	}
	select {
	case <-t.done:
		return nil
	case <-s.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Check is what AnyCost allows the key.
type Check struct {
	// Connected says that AnyCost knows the key and the connection.
	Connected bool
	// Missing are the scopes that the key lacks. The one to create is not
	// among them: only posting tells.
	Missing []string
	Problem string
}

// Check asks AnyCost, changing nothing.
func (s *Shipper) Check(ctx context.Context) (Check, error) {
	if err := s.postsNothing(); err != nil {
		return Check{}, err
	}
	var result Check
	if err := s.do(ctx, func(ctx context.Context) { result = s.ask(ctx) }); err != nil {
		return Check{}, err
	}
	return result, nil
}

func (s *Shipper) ask(ctx context.Context) (c Check) {
	month := billing.MonthOf(time.Now())
	enough := errors.New("one row is enough")
	for _, scope := range []struct {
		name string
		ask  func() error
	}{
		{"list", func() error { _, err := s.client.Counts(ctx); return err }},
		{"read", func() error {
			err := s.client.Read(ctx, month, func(anycost.Row) error { return enough })
			if errors.Is(err, enough) {
				return nil
			}
			return err
		}},
		{"validate", func() error {
			_, err := s.client.Validate(ctx, anycost.NewDrop(month, anycost.ReplaceHourly))
			return err
		}},
	} {
		err := scope.ask()
		switch {
		case err == nil:
			c.Connected = true
		case classOf(err) == anycost.Forbidden:
			c.Missing = append(c.Missing, scope.name)
		case c.Problem == "":
			c.Problem = err.Error()
		}
	}
	if c.Problem != "" {
		c.Connected = false
	}
	if len(c.Missing) == 3 {
		c.Problem = "the key is wrong, or may do no more than create billing drops: CloudZero answers the same to both"
	}
	return c
}

// Hours are the hours in the books, oldest first.
func (s *Shipper) Hours() []ledger.Summary { return s.books.Hours() }

// Contents are an hour with its rows.
func (s *Shipper) Contents(ctx context.Context, at billing.Hour) (ledger.Contents, error) {
	return s.books.Contents(ctx, at)
}

// Due says whether the hour has closed, settled, and AnyCost lacks something of
// it.
func (s *Shipper) Due(h ledger.Summary) bool { return s.dueLocked(h, time.Now()) }

// Rejected is the cost of calls that came too late for the books.
func (s *Shipper) Rejected() billing.Amount { return s.books.Balance().Rejected }

// whole ships the hours of one month as the whole of it.
func (r *round) whole(ctx context.Context, hours []ledger.Summary) error {
	d := anycost.NewDrop(hours[0].Hour.Month(), anycost.ReplaceDrop)
	var parcels []parcel
	for _, h := range hours {
		c, err := r.books.Contents(ctx, h.Hour)
		if err != nil {
			return err
		}
		p, err := r.wrap(ctx, c)
		if err != nil {
			return err
		}
		if p.Posted.Origin != ledger.Kept {
			p.Posted.Origin = ledger.Own // nobody else has rows of the month any more
		}
		d.Add(len(p.ends), p.data)
		parcels = append(parcels, p)
	}
	if d.Bytes() > anycost.MaxBodyBytes {
		return &ConflictError{fmt.Sprintf("month %s does not fit into one body; leave the operation out", d.Month)}
	}
	if err := r.post(ctx, d, parcels); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.others, d.Month) // others' rows are gone
	r.mu.Unlock()
	return r.posted(ctx, parcels)
}
