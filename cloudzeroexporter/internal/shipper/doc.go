// Package shipper decides which hours of the books are posted to AnyCost, how
// they are packed, and what an answer means for them.
//
// One goroutine, started by [Shipper.Start] and ended by [Shipper.Shutdown],
// makes all requests, one at a time, because AnyCost "does not support
// concurrent requests for the same stream". Whoever wants an export asks that
// goroutine and waits.
//
// An hour is always posted whole and absolute, so posting it again is harmless.
// Nothing is given up because of an answer or of time: an hour stays due until
// AnyCost has accepted it.
package shipper
