package load

import "errors"

// Config says what is sent.
type Config struct {
	// Capture is the folder of the recorded traffic.
	Capture string
	// Spans is how many a request has.
	Spans int
	// Senders is how many send at once, each on a connection of its own. A
	// sender sends its next request when the last one is acknowledged.
	Senders int
	// Teams, Users and Models are how many there are; an hour has as many rows
	// as their product.
	Teams, Users, Models int
	// Duplicates is the share of calls, below 1, that were sent before.
	Duplicates float64
	// Others is the share of spans, below 1, that are no model calls.
	Others float64
	// Rate is how many requests are sent in a second, by all senders; 0 is as
	// many as the collector takes.
	Rate float64
	// HTTP sends over OTLP/HTTP instead of gRPC.
	HTTP bool
}

func (c Config) validate() error {
	switch {
	case c.Spans < 1 || c.Senders < 1 || c.Teams < 1 || c.Users < 1 || c.Models < 1:
		return errors.New("spans, senders, teams, users and models: 1 or more")
	case c.Duplicates < 0 || c.Duplicates >= 1 || c.Others < 0 || c.Others >= 1:
		return errors.New("duplicates and others: shares from 0 to below 1")
	case max(c.Teams, c.Users, c.Models, c.rows()) > 1_000_000:
		return errors.New("teams, users and models: at most a million rows")
	}
	return nil
}

// rows is the number of rows that an hour can have.
func (c Config) rows() int { return c.Teams * c.Users * c.Models }

// numbers are those of who pays and for which model in a row.
func (c Config) numbers(row uint64) rowNumbers {
	teams, users := uint64(c.Teams), uint64(c.Users) //nolint:gosec // not negative
	return rowNumbers{team: row % teams, user: row / teams % users, model: row / teams / users}
}
