package series

import (
	"encoding/binary"
	"errors"
	"math"
)

// RecordBytes is the size of one packed series.
const RecordBytes = 4*8 + 4

var errPacked = errors.New("not a whole number of series, or one without a sum")

// pack prints series, each as its identity, time, sum (the bits of the double),
// count and the hour in which it was heard last: integers, little endian.
func (s *Set) pack(ids []uint64) []byte {
	b := make([]byte, 0, len(ids)*RecordBytes)
	for _, id := range ids {
		st := s.known[id]
		b = binary.LittleEndian.AppendUint64(b, id)
		b = binary.LittleEndian.AppendUint64(b, st.time)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(st.sum))
		b = binary.LittleEndian.AppendUint64(b, st.count)
		b = binary.LittleEndian.AppendUint32(b, st.heard)
	}
	return b
}

// Restore reads what was packed, later than what was read before. Restored
// series are unsaved if no chunk has them.
func (s *Set) Restore(b []byte, unsaved bool) error {
	if len(b)%RecordBytes != 0 {
		return errPacked
	}
	for ; len(b) > 0; b = b[RecordBytes:] {
		id := binary.LittleEndian.Uint64(b)
		next := state{
			time:  binary.LittleEndian.Uint64(b[8:]),
			sum:   math.Float64frombits(binary.LittleEndian.Uint64(b[16:])),
			count: binary.LittleEndian.Uint64(b[24:]),
			heard: binary.LittleEndian.Uint32(b[32:]),
		}
		if !(next.sum >= 0) { // NaN too
			return errPacked
		}
		last, known := s.known[id]
		if known && last.time > next.time {
			continue // a chunk is newer than the journal that it contains
		}
		if next.marks = last.marks; unsaved && next.marks&isUnsaved == 0 {
			next.marks |= isUnsaved
			s.unsaved = append(s.unsaved, id)
		}
		s.known[id] = next
	}
	return nil
}

// HasUnwritten says whether something changed that no commit has.
func (s *Set) HasUnwritten() bool { return len(s.unwritten) > 0 }

// TakeUnwritten returns what changed since it was called last, packed, and the
// series' identities for [Set.PutBack].
func (s *Set) TakeUnwritten() (packed []byte, ids []uint64) {
	packed, ids = s.pack(s.unwritten), s.unwritten
	s.unwritten = nil
	s.unmark(ids, isUnwritten)
	return packed, ids
}

// PutBack makes series unwritten again, whose commit failed.
func (s *Set) PutBack(ids []uint64) { s.unwritten = s.mark(s.unwritten, ids, isUnwritten) }

// TakeUnsaved returns the series that no chunk has, packed, at most so many in
// one piece, and their identities for [Set.PutBackUnsaved]. With everything it
// returns all that are known.
func (s *Set) TakeUnsaved(everything bool, most int) (pieces [][]byte, ids []uint64) {
	unsaved := s.unsaved
	s.unsaved = nil
	s.unmark(unsaved, isUnsaved)
	ids = unsaved
	if everything {
		ids = make([]uint64, 0, len(s.known))
		for id := range s.known {
			ids = append(ids, id)
		}
	}
	for rest := ids; len(rest) > 0; {
		n := min(most, len(rest))
		pieces = append(pieces, s.pack(rest[:n]))
		rest = rest[n:]
	}
	return pieces, ids
}

// Settle says that nothing needs to be written, as where nothing is kept.
func (s *Set) Settle() {
	s.unmark(s.unwritten, isUnwritten)
	s.unmark(s.unsaved, isUnsaved)
	s.unwritten, s.unsaved = s.unwritten[:0], s.unsaved[:0]
}

// PutBackUnsaved makes series unsaved again, whose chunks could not be written.
func (s *Set) PutBackUnsaved(ids []uint64) { s.unsaved = s.mark(s.unsaved, ids, isUnsaved) }

func (s *Set) mark(list, ids []uint64, as uint8) []uint64 {
	for _, id := range ids {
		if st, known := s.known[id]; known && st.marks&as == 0 {
			st.marks |= as
			s.known[id] = st
			list = append(list, id)
		}
	}
	return list
}

func (s *Set) unmark(ids []uint64, as uint8) {
	for _, id := range ids {
		if st, known := s.known[id]; known {
			st.marks &^= as
			s.known[id] = st
		}
	}
}
