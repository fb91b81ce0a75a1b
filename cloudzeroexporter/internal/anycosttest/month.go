package anycosttest

import (
	"fmt"
	"slices"
	"strings"
)

// month is the rows of a month's drop.
type month []row

// apply returns the month after a drop.
func (m month) apply(d drop) month {
	switch d.Operation {
	case "sum":
		return slices.Concat(m, d.rows)
	case "replace_hourly":
		hours := d.hours()
		kept := make(month, 0, len(m)+len(d.rows))
		for _, r := range m {
			if _, replaced := slices.BinarySearch(hours, r.hour()); !replaced {
				kept = append(kept, r)
			}
		}
		return append(kept, d.rows...)
	default:
		return d.rows
	}
}

func (m month) bytes() (n int) {
	for _, r := range m {
		n += r.bytes
	}
	return n
}

func (m month) values() []map[string]string {
	rows := make([]map[string]string, len(m))
	for i, r := range m {
		rows[i] = r.columns
	}
	return rows
}

// checkTagsLocked finds tags that say of one resource now this, now that:
// CloudZero keeps the latest value and applies it to the past as well. Counts
// and display names may change.
func (s *Server) checkTagsLocked(d drop) {
	for _, r := range d.rows {
		id := r.columns["resource/id"]
		for column, value := range r.columns {
			tag, isTag := strings.CutPrefix(column, "resource/tag:")
			if !isTag || strings.HasSuffix(tag, "_tokens") || strings.HasSuffix(tag, "_alias") {
				continue
			}
			key := [2]string{id, tag}
			if before, known := s.tags[key]; known && before != value {
				s.violations = append(s.violations, fmt.Sprintf("tag %s of %s was %q and is %q", tag, id, before, value))
			}
			s.tags[key] = value
		}
	}
}
