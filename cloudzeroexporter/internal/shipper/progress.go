package shipper

import (
	"fmt"
	"time"
)

// Progress is how far an export has come.
type Progress struct {
	// Since is when it was asked for, Ended when it was over; zero while it runs.
	Since, Ended time.Time
	// Hours is the number of hours that it is to post; 0 as long as it waits for
	// a round that is under way.
	Hours int
	// Posted is the number of hours that AnyCost has accepted, with so many
	// Rows; Held is the number of those that it refused.
	Posted, Held, Rows int
	// Err is why it had to stop; nil when it did not.
	Err error
}

// Running says whether the export is under way.
func (p Progress) Running() bool { return !p.Since.IsZero() && p.Ended.IsZero() }

// BusyError refuses an export because another one runs.
type BusyError struct{ Progress Progress }

// Error says how far the other one has come.
func (e *BusyError) Error() string {
	since := e.Progress.Since.UTC().Format(time.RFC3339)
	if e.Progress.Hours == 0 {
		return fmt.Sprintf("an export is running already, since %s; it waits for a round that is under way", since)
	}
	return fmt.Sprintf("an export is running already, since %s; it has posted %d of %d hours, with %d rows",
		since, e.Progress.Posted, e.Progress.Hours, e.Progress.Rows)
}

// Progress is that of the export that runs, or else of the last one; zero before
// the first.
func (s *Shipper) Progress() Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.export == nil {
		return Progress{}
	}
	return *s.export
}

// begin makes room for one export. The error is a [*BusyError].
func (s *Shipper) begin() (*Progress, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.export != nil && s.export.Running() {
		return nil, &BusyError{*s.export}
	}
	s.export = &Progress{Since: time.Now()}
	return s.export, nil
}

// advance changes the progress of a round's export, if it has one.
func (s *Shipper) advance(p *Progress, change func(*Progress)) {
	if p == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	change(p)
}

// end is the end of an export, the first time.
func (s *Shipper) end(p *Progress, err error) {
	s.advance(p, func(p *Progress) {
		if p.Ended.IsZero() {
			p.Ended, p.Err = time.Now(), err
		}
	})
}
