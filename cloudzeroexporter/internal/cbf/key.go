package cbf

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// ErrKey says that bytes are not a row key.
var ErrKey = errors.New("not a row key")

// Key is what separates two rows of an hour, as bytes that are stored: provider,
// model and team, then name and value of every further dimension that has a
// value, each as its length (uvarint) and its bytes. Equal keys are equal
// dimensions. A key keeps the names of its dimensions, so rows of another
// split_by stay what they are.
type Key string

// Dimensions are a key taken apart.
type Dimensions struct {
	Provider, Model, Team string
	Split                 []Dimension
}

// Dimension is the name and value of one further dimension.
type Dimension struct{ Name, Value string }

// AppendKey appends bytes that [KeyOf] makes the record's [Key] of. They are mostly
// the key itself: names that are not valid are looked for when a row is made, and not
// for each call (14 of 340 ns).
func (l Layout) AppendKey(b []byte, r *usage.Record) []byte {
	begin := len(b)
	longest := max(len(r.Provider), len(r.Model), len(r.Team))
	b = appendString(appendString(appendString(b, r.Provider), r.Model), r.Team)
	for _, d := range l.dimensions {
		if v := d.value(r); v != "" {
			b = appendString(appendString(b, d.name), v)
			longest = max(longest, len(v))
		}
	}
	if longest < utf8.RuneSelf {
		return b
	}
	return l.appendBounded(b[:begin], r)
}

// KeyOf returns the key, its names [usage.Bounded], of what [Layout.AppendKey]
// appended.
func KeyOf(b []byte) Key {
	// One look at all names at once: lengths of one byte are characters between
	// them, so that no two names make one character.
	if utf8.Valid(b) {
		return Key(b)
	}
	d, err := Key(b).Dimensions()
	if err != nil {
		panic(err) // AppendKey did not make it
	}
	bounded := appendString(nil, usage.Bounded(d.Provider))
	bounded = appendString(appendString(bounded, usage.Bounded(d.Model)), usage.Bounded(d.Team))
	for _, s := range d.Split {
		bounded = appendString(appendString(bounded, s.Name), usage.Bounded(s.Value))
	}
	return Key(bounded)
}

func (l Layout) appendBounded(b []byte, r *usage.Record) []byte {
	for _, name := range [...]string{r.Provider, r.Model, r.Team} {
		b = appendString(b, usage.Bounded(name))
	}
	for _, d := range l.dimensions {
		if v := d.value(r); v != "" {
			b = appendString(appendString(b, d.name), usage.Bounded(v))
		}
	}
	return b
}

// Dimensions takes the key apart. The error is [ErrKey].
func (k Key) Dimensions() (Dimensions, error) {
	var d Dimensions
	rest := string(k)
	for _, part := range []*string{&d.Provider, &d.Model, &d.Team} {
		if err := cutString(&rest, part); err != nil {
			return Dimensions{}, err
		}
	}
	for rest != "" {
		var split Dimension
		if err := cutString(&rest, &split.Name); err != nil {
			return Dimensions{}, err
		}
		if err := cutString(&rest, &split.Value); err != nil {
			return Dimensions{}, err
		}
		d.Split = append(d.Split, split)
	}
	return d, nil
}

// Value is the value of the further dimension called name, or "".
func (d Dimensions) Value(name string) string {
	for _, s := range d.Split {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutString moves the first string of rest to s.
func cutString(rest, s *string) error {
	head := (*rest)[:min(len(*rest), binary.MaxVarintLen64)]
	n, width := binary.Uvarint([]byte(head))
	if width <= 0 || n > uint64(len(*rest)-width) { //nolint:gosec // width is at most len(*rest)
		return ErrKey
	}
	end := width + int(n) //nolint:gosec // below len(*rest)
	*s, *rest = (*rest)[width:end], (*rest)[end:]
	return nil
}
