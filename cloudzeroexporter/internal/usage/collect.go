package usage

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// collector is what one span's attributes hold. It is used for one span after
// the other, and its values are the span's.
type collector struct {
	index *attributeIndex
	// present has a bit for every field that the span has, and values what it
	// has; a value without its bit is another span's.
	present uint64
	values  [fields]pcommon.Value
	other   []string // values of the wanted attributes
}

// collect reads the attributes in one pass.
func (c *collector) collect(attributes pcommon.Map) {
	c.present = 0
	clear(c.other)
	for key, value := range attributes.All() {
		a := c.index.find(key)
		if a == nil {
			continue
		}
		if a.field != noneField {
			c.present |= 1 << a.field
			c.values[a.field] = value
		}
		if a.wanted >= 0 {
			c.other[a.wanted] = bounded(value.AsString())
		}
	}
}

// has says whether the span has any of the fields, be they empty.
func (c *collector) has(mask uint64) bool { return c.present&mask != 0 }

// raw is the field as it is, or "".
func (c *collector) raw(f field) string {
	if c.present&(1<<f) == 0 {
		return ""
	}
	return c.values[f].Str()
}

// text is the field as a name that a row can show, or "".
func (c *collector) text(f field) string { return bounded(c.raw(f)) }

// firstText is the first of the fields that is not empty.
func (c *collector) firstText(fields ...field) string {
	for _, f := range fields {
		if s := c.raw(f); s != "" {
			return bounded(s)
		}
	}
	return ""
}

// maxStringBytes bounds what a name may hold: nobody's name is longer, and a
// row shows every one of them.
const maxStringBytes = 256

// bounded returns s as valid UTF-8 of at most maxStringBytes.
func bounded(s string) string {
	if len(s) <= maxStringBytes && utf8.ValidString(s) {
		return s
	}
	return shortened(s)
}

func shortened(s string) string {
	if len(s) > maxStringBytes {
		s = s[:maxStringBytes]
		// A character that was cut goes; one that was broken before stays to be replaced.
		for i := 1; i <= utf8.UTFMax && i <= len(s); i++ {
			if b := s[len(s)-i]; utf8.RuneStart(b) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	if utf8.ValidString(s) {
		return s
	}
	return bounded(strings.ToValidUTF8(s, "�"))
}
