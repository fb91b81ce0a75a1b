package anycost

import (
	"fmt"
	"time"
)

// Class says what an answer means for what was to be posted.
type Class uint8

const (
	// Unavailable is an answer that says: not now, or one that nobody expects. What
	// took effect, [Error.Effect] says.
	Unavailable Class = iota
	// Lost is an answer that never came, or cannot be read. The request may
	// have taken effect, or may do so later.
	Lost
	// Refused is AnyCost's no to the content of a drop.
	Refused
	// TooLarge is AnyCost's no to the size of a drop.
	TooLarge
	// Forbidden is a key that is wrong or lacks the scope.
	Forbidden
	// NotFound is a connection that does not exist.
	NotFound
	classes = iota
)

var classNames = [classes]string{"unavailable", "lost", "refused", "too_large", "forbidden", "not_found"}

// String is the class's name in metrics.
func (c Class) String() string { return classNames[c] }

// advice is what an operator can do.
var advice = [classes]string{
	Unavailable: "it is tried again",
	Lost:        "the hours are posted again",
	Refused:     "the rows are held; see them on the console",
	TooLarge:    "the hours are posted in smaller bodies",
	Forbidden:   "check CLOUDZERO_API_KEY and its scopes",
	NotFound:    "check CLOUDZERO_CONNECTION_ID and the endpoint",
}

// Error is everything but success.
type Error struct {
	Class Class
	// Request is method and URL, without secrets.
	Request string
	// Status is the HTTP status, or 0 when there was no answer.
	Status int
	// Message is AnyCost's, shortened.
	Message string
	// RetryAfter is how long AnyCost asks to wait; 0 when it does not.
	RetryAfter time.Duration
	// Err is why there was no answer.
	Err error
}

// Error says what happened, where, and what comes next.
func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Status == 0:
		return fmt.Sprintf("%s: no answer: %v; %s", e.Request, e.Err, advice[e.Class])
	case e.Err != nil:
		return fmt.Sprintf("%s: %d, but the answer is not AnyCost's: %v; %s", e.Request, e.Status, e.Err, advice[e.Class])
	case e.Message != "":
		return fmt.Sprintf("%s: %d: %s; %s", e.Request, e.Status, e.Message, advice[e.Class])
	default:
		return fmt.Sprintf("%s: %d; %s", e.Request, e.Status, advice[e.Class])
	}
}

// Effect says whether the request may have taken effect, or may yet. Only a
// connection that never stood and the statuses from 400 to 499 say that it has not:
// 201, 202 or a redirection may come after the deed.
func (e *Error) Effect() bool {
	return e.Class == Lost || e.Class == Unavailable && e.Status != 0 && e.Status/100 != 4
}

// Unwrap returns why there was no answer.
func (e *Error) Unwrap() error { return e.Err }

// classOf sorts the statuses other than 200. Only those that AnyCost documents,
// or that mean the same everywhere, are final; a status nobody has heard of is
// more likely some proxy's than a verdict on the data.
func classOf(status int) Class {
	switch status {
	case 400, 422:
		return Refused
	case 401, 403:
		return Forbidden
	case 404:
		return NotFound
	case 413:
		return TooLarge
	default:
		return Unavailable
	}
}
