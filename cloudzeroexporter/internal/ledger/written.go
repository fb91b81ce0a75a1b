package ledger

import (
	"encoding/binary"
	"math"

	"github.com/fxamacker/cbor/v2"
)

// writtenEntry is an [entry] as it is written: the same bytes, but its rows are
// encoded by hand. Every call changes a row, and every commit writes those that
// changed; the library, which goes by reflection, takes 310 ns for one, this 19.
type writtenEntry struct {
	_       struct{} `cbor:",toarray"`
	Hours   []writtenChange
	Answers []storedAnswers
	Series  []byte
}

// writtenChange is a [storedChange] as it is written.
type writtenChange struct {
	_        struct{} `cbor:",toarray"`
	Hour     int64
	Revision uint64
	Rows     cbor.RawMessage
	Seen     []byte
	Posted   *storedPosting
}

// The major types of CBOR that rows have.
// https://www.rfc-editor.org/rfc/rfc8949#section-3.1
const (
	cborUint  = 0 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
)

// appendRows appends the CBOR of the rows' [storedRow]s.
func appendRows(b []byte, rows []*row) []byte {
	b = appendHead(b, cborArray, uint64(len(rows)))
	for _, r := range rows {
		b = appendHead(b, cborArray, 4)
		b = append(appendHead(b, cborBytes, uint64(len(r.key))), r.key...)
		b = append(appendHead(b, cborText, uint64(len(r.labels.TeamAlias))), r.labels.TeamAlias...)
		b = append(appendHead(b, cborText, uint64(len(r.labels.APIKeyAlias))), r.labels.APIKeyAlias...)
		dollars, femto := r.totals.Cost.Parts()
		totals := [...]uint64{
			dollars, femto,
			r.totals.Tokens.Input, r.totals.Tokens.Output, r.totals.Tokens.CacheRead, r.totals.Tokens.CacheWrite,
			r.totals.Requests, r.totals.Unpriced, r.totals.UnpricedTokens,
		}
		b = appendHead(b, cborArray, uint64(len(totals)))
		for _, n := range totals {
			b = appendHead(b, cborUint, n)
		}
	}
	return b
}

// appendHead appends what a value of CBOR begins with, in its shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}
