package billing

import (
	"fmt"
	"time"
)

// Month is a UTC calendar month, counted from January of the year 0. Every
// AnyCost body lies in one month.
type Month int32

// MonthOf returns the month that t lies in.
func MonthOf(t time.Time) Month {
	y, m, _ := t.UTC().Date()
	return Month(y*12 + int(m) - 1) //nolint:gosec // years of billing fit.
}

// First is the month's first hour.
func (m Month) First() Hour {
	return HourOf(time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC))
}

// String prints the month as AnyCost wants it: 2026-11.
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", int(m)/12, int(m)%12+1) }
