// Package billing holds the words that every room of the exporter shares: the
// hour and month a cost belongs to, exact amounts of money, token counts, and
// the outcome of a span.
//
// All types are small values; none needs a lock.
package billing
