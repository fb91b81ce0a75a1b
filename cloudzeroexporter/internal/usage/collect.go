package usage

import "go.opentelemetry.io/collector/pdata/pcommon"

// collector is what one span's attributes hold. It is used for one span after
// the other, and its values are the span's.
type collector struct {
	index *attributeIndex
	// present has a bit for every field that the span has, and values what it
	// has; a value without its bit is another span's.
	present uint64
	values  [maxFields]pcommon.Value
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
		c.present |= a.bit
		c.values[a.field%maxFields] = value
		if a.wanted >= 0 {
			c.other[a.wanted] = value.AsString()
		}
	}
}

// has says whether the span has any of the fields, be they empty.
func (c *collector) has(mask uint64) bool { return c.present&mask != 0 }

// text is the field as it is, or "".
func (c *collector) text(f field) string {
	if c.present&(1<<f) == 0 {
		return ""
	}
	return c.values[f].Str()
}

// firstText is the first of the fields that is not empty.
func (c *collector) firstText(fields ...field) string {
	for _, f := range fields {
		if s := c.text(f); s != "" {
			return s
		}
	}
	return ""
}
