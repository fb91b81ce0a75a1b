package ledger

import "encoding/binary"

// identities is a set of identities, which are hashes already: open addressing
// with linear probing, 11 to 21 bytes for each where a map takes 25 to 38. The
// zero value is an empty set. A marked set keeps 16 bits beside each identity.
type identities struct {
	slots []uint64 // 0: free; the length is a power of two, or 0
	mask  uint64   // that length less one
	marks []uint16 // nil in a set without marks
	n     int
}

const (
	// minSlots is the size of the smallest table.
	minSlots = 16
	// A table is at most three quarters full: a search then looks at two or
	// three slots that lie side by side.
	fullNumerator, fullDenominator = 3, 4
)

// slotID is how an identity stands in a slot, where 0 means none.
func slotID(id uint64) uint64 { return max(1, id) }

// slot is where the identity is, or where it would be put.
func (s *identities) slot(id uint64) (at int, found bool) {
	for i := id & s.mask; ; i = (i + 1) & s.mask {
		switch s.slots[i] {
		case id:
			return int(i), true //nolint:gosec // below len(s.slots)
		case 0:
			return int(i), false //nolint:gosec // below len(s.slots)
		}
	}
}

// fetch looks at the first slot of an identity, and at its mark.
func (s *identities) fetch(id uint64) uint64 {
	if len(s.slots) == 0 {
		return 0
	}
	if s.marks == nil {
		return s.slots[id&s.mask]
	}
	return s.slots[id&s.mask] + uint64(s.marks[id&s.mask])
}

func (s *identities) has(id uint64) bool {
	if s.n == 0 {
		return false
	}
	_, found := s.slot(slotID(id))
	return found
}

// add puts an identity into the set, and says whether it is new.
func (s *identities) add(id uint64) bool {
	_, added := s.put(slotID(id))
	return added
}

// setMark puts an identity with its mark into a marked set.
func (s *identities) setMark(id uint64, mark uint16) {
	place, _ := s.placeMark(id)
	*place = mark
}

// placeMark puts an identity into a marked set, and returns where its mark is and
// whether it is new. The place holds until the next identity is put.
func (s *identities) placeMark(id uint64) (mark *uint16, added bool) {
	at, added := s.put(slotID(id))
	if s.marks == nil {
		s.marks = make([]uint16, len(s.slots))
	}
	return &s.marks[at], added
}

// packed are all identities, as they are stored.
func (s *identities) packed() []byte {
	b := make([]byte, 0, s.n*idBytes)
	for _, id := range s.slots {
		if id != 0 {
			b = binary.LittleEndian.AppendUint64(b, id)
		}
	}
	return b
}

func (s *identities) put(id uint64) (at int, added bool) {
	if len(s.slots) == 0 {
		s.resize(minSlots)
	}
	at, found := s.slot(id)
	if found {
		return at, false
	}
	if (s.n+1)*fullDenominator > len(s.slots)*fullNumerator {
		s.resize(2 * len(s.slots))
		at, _ = s.slot(id)
	}
	s.slots[at] = id
	s.n++
	return at, true
}

// grow makes room for n more identities at once.
func (s *identities) grow(n int) {
	size := max(minSlots, len(s.slots))
	for (s.n+n)*fullDenominator > size*fullNumerator {
		size *= 2
	}
	if size > len(s.slots) {
		s.resize(size)
	}
}

func (s *identities) resize(size int) {
	s.keep(size, func(uint16) bool { return true })
}

// remove takes out the identities whose marks do not belong.
func (s *identities) remove(belongs func(mark uint16) bool) {
	n := 0
	for i, id := range s.slots {
		if id != 0 && belongs(s.marks[i]) {
			n++
		}
	}
	size := minSlots
	for n*fullDenominator > size*fullNumerator {
		size *= 2
	}
	s.keep(size, belongs)
}

// keep moves the identities whose marks belong to a table of the size.
func (s *identities) keep(size int, belongs func(mark uint16) bool) {
	old := *s
	*s = identities{slots: make([]uint64, size), mask: uint64(size) - 1} //nolint:gosec // size is positive
	if old.marks != nil {
		s.marks = make([]uint16, size)
	}
	for i, id := range old.slots {
		if id == 0 || old.marks != nil && !belongs(old.marks[i]) {
			continue
		}
		at, _ := s.slot(id)
		s.slots[at] = id
		if old.marks != nil {
			s.marks[at] = old.marks[i]
		}
		s.n++
	}
}
