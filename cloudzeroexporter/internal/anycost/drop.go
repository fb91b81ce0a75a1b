package anycost

import (
	"fmt"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Operation says what a billing drop does to what AnyCost holds already.
type Operation string

const (
	// ReplaceHourly replaces all rows of the hours that the drop names.
	ReplaceHourly Operation = "replace_hourly"
	// ReplaceDrop replaces the whole month.
	ReplaceDrop Operation = "replace_drop"
	// Sum adds the drop's rows. Repeated, it doubles them.
	Sum Operation = "sum"
)

// MaxBodyBytes bounds what is sent in one request. AnyCost takes 5 MB, and does
// not say whether that is 10^6 or 2^20 bytes each.
const MaxBodyBytes = 4_500_000

// Drop is one billing drop, the body of one POST: rows of one month. It is not
// safe for concurrent use.
type Drop struct {
	Month     billing.Month
	Operation Operation
	rows      int
	data      []byte
}

// NewDrop begins a drop without rows.
func NewDrop(m billing.Month, op Operation) *Drop {
	return &Drop{Month: m, Operation: op, data: fmt.Appendf(nil, `{"month":%q,"operation":%q,"data":[`, m, op)}
}

// Add adds so many rows, which are JSON objects with commas between them.
func (d *Drop) Add(rows int, data []byte) {
	if d.rows > 0 {
		d.data = append(d.data, ',')
	}
	d.data = append(d.data, data...)
	d.rows += rows
}

// Rows is the number of rows.
func (d *Drop) Rows() int { return d.rows }

// Bytes is the size of the body.
func (d *Drop) Bytes() int { return len(d.data) + len("]}") }

// body completes the JSON, behind the end of data, so that the drop can be
// posted again.
func (d *Drop) body() []byte { return append(d.data, "]}"...) }
