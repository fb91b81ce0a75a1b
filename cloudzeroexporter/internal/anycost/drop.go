package anycost

import (
	"bytes"
	"fmt"
	"io"
	"strings"

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
	pieces    [][]byte
	bytes     int
}

// NewDrop begins a drop without rows.
func NewDrop(m billing.Month, op Operation) *Drop {
	d := &Drop{Month: m, Operation: op}
	d.append(fmt.Appendf(nil, `{"month":%q,"operation":%q,"data":[`, m, op))
	return d
}

// Add adds so many rows, which are JSON objects with commas between them. The
// drop keeps data as it is, and does not copy it.
func (d *Drop) Add(rows int, data []byte) {
	if rows == 0 {
		return
	}
	if d.rows > 0 {
		d.append([]byte(","))
	}
	d.append(data)
	d.rows += rows
}

func (d *Drop) append(piece []byte) {
	d.pieces = append(d.pieces, piece)
	d.bytes += len(piece)
}

// Rows is the number of rows.
func (d *Drop) Rows() int { return d.rows }

// Bytes is the size of the body.
func (d *Drop) Bytes() int { return d.bytes + len(bodyEnd) }

const bodyEnd = "]}"

// body reads the JSON, from its beginning.
func (d *Drop) body() io.Reader {
	readers := make([]io.Reader, 0, len(d.pieces)+1)
	for _, piece := range d.pieces {
		readers = append(readers, bytes.NewReader(piece))
	}
	return io.MultiReader(append(readers, strings.NewReader(bodyEnd))...)
}
