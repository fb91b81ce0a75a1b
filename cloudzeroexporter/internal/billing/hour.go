package billing

import (
	"fmt"
	"time"
)

// Hour is a UTC clock hour, counted from 1970-01-01T00:00Z. It is the finest
// time that an AnyCost billing drop can be replaced by.
type Hour int64

// HourOf returns the hour that t lies in.
func HourOf(t time.Time) Hour {
	return hourOfSecond(t.Unix())
}

// HourOfNanos returns the hour of an OTLP timestamp, in nanoseconds since 1970.
func HourOfNanos(ns uint64) Hour {
	return hourOfSecond(int64(ns / uint64(time.Second))) //nolint:gosec // 2^64 ns are below 2^35 s.
}

// ParseHour reads what [Hour.String] prints.
func ParseHour(s string) (Hour, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		if h := HourOf(t); h.Start().Equal(t) {
			return h, nil
		}
	}
	return 0, fmt.Errorf("%q is not a full hour such as 2026-11-24T14:00:00Z", s)
}

func hourOfSecond(s int64) Hour {
	h := s / 3600
	if s%3600 < 0 {
		h-- // Go rounds towards zero, hours round down.
	}
	return Hour(h)
}

// Start is the first instant of the hour, in UTC.
func (h Hour) Start() time.Time { return time.Unix(int64(h)*3600, 0).UTC() }

// End is the first instant after the hour, in UTC.
func (h Hour) End() time.Time { return (h + 1).Start() }

// Month is the calendar month, in UTC, that the hour lies in.
func (h Hour) Month() Month { return MonthOf(h.Start()) }

// String prints the hour's start as CBF's time/usage_start wants it:
// 2026-11-24T14:00:00Z.
func (h Hour) String() string { return string(h.Append(nil)) }

// Append appends what [Hour.String] prints to b.
func (h Hour) Append(b []byte) []byte { return h.Start().AppendFormat(b, time.RFC3339) }

// MarshalText implements [encoding.TextMarshaler] with [Hour.String].
func (h Hour) MarshalText() ([]byte, error) { return h.Append(nil), nil }
