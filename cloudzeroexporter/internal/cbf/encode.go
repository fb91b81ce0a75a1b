package cbf

import (
	"encoding/json"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// AppendJSON appends the row as the JSON object that AnyCost takes: every value
// a string.
func (f Format) AppendJSON(b []byte, h billing.Hour, r Row) []byte {
	separator := byte('{')
	for column, value := range f.Columns(h, r) {
		b = append(b, separator)
		b = appendQuoted(b, column)
		b = append(b, ':')
		b = appendQuoted(b, value)
		separator = ','
	}
	return append(b, '}')
}

// appendQuoted appends s as a JSON string. Nearly all of them need no escape.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
