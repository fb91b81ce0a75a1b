package ledger

import (
	"encoding/binary"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// answersKept is how long an answer is remembered: a hit of LiteLLM's response
// cache comes hours after the call that it repeats.
const answersKept = 48 // hours

// answers remembers what was heard lately and is tied to no hour: answers of
// providers that were billed, and calls whose own time could not be believed.
type answers struct {
	// heard are the answers, displaced the calls. Their marks say when they were
	// heard, and of an answer whether headers of the provider came with it.
	heard, displaced identities
	// unsaved are those that no stored chunk has yet.
	unsaved answerLists
	// chunks is the number of stored chunks of each hour of arrival.
	chunks map[billing.Hour]int
}

// answer is one of them, and in which hour it was heard.
type answer struct {
	id    uint64
	heard billing.Hour
	kind  answerKind
}

// answerKind is what an answer is, and how well it is known.
type answerKind uint8

const (
	// answered is an answer without headers of the provider.
	answered answerKind = iota
	// answeredByProvider is one with them.
	answeredByProvider
	// displacedCall is a call that counts for the hour of its arrival.
	displacedCall

	answerKinds // their number
)

func newAnswers() answers { return answers{chunks: make(map[billing.Hour]int)} }

// Marks hold an hour in 15 bits, enough to tell hours of some years apart, and
// the provider's headers in the lowest.
const providerMark = 1

func markOf(heard billing.Hour) uint16 { return uint16(heard) << 1 } //nolint:gosec // the lower bits are meant

// since is how many hours after the mark's the hour is; negative when a clock
// was put back.
func since(mark uint16, at billing.Hour) int16 {
	return int16(markOf(at)-mark&^providerMark) / 2 //nolint:gosec // a difference of hours
}

func (a *answers) isDisplaced(id uint64) bool { return a.displaced.has(id) }

func (a *answers) get(id uint64) (fromProvider, known bool) {
	mark, known := a.heard.mark(id)
	return mark&providerMark != 0, known
}

func (a *answers) put(heard answer) {
	a.remember(heard)
	a.unsaved.add(heard)
}

func (a *answers) remember(heard answer) {
	switch mark := markOf(heard.heard); heard.kind {
	case displacedCall:
		a.displaced.setMark(heard.id, mark)
	case answeredByProvider:
		a.heard.setMark(heard.id, mark|providerMark)
	default:
		a.heard.setMark(heard.id, mark)
	}
}

// forget lets go of what was heard before the hour, and returns the hours whose
// chunks are of no use any more.
func (a *answers) forget(before billing.Hour) (expired map[billing.Hour]int) {
	for h, n := range a.chunks {
		if h < before {
			if expired == nil {
				expired = make(map[billing.Hour]int)
			}
			expired[h] = n
			delete(a.chunks, h)
		}
	}
	if expired != nil {
		fresh := func(mark uint16) bool { return since(mark, before) <= 0 }
		a.heard.remove(fresh)
		a.displaced.remove(fresh)
	}
	return expired
}

// answerLists are answers as they are stored: a list for each hour that they
// were heard in.
type answerLists []storedAnswers

func (l *answerLists) add(a answer) {
	list := l.of(int64(a.heard))
	ids := list.of(a.kind)
	*ids = binary.LittleEndian.AppendUint64(*ids, a.id)
}

func (l *answerLists) addAll(others answerLists) {
	for i := range others {
		list := l.of(others[i].Heard)
		for kind := range answerKinds {
			ids := list.of(kind)
			*ids = append(*ids, *others[i].of(kind)...)
		}
	}
}

// of is the list of an hour, which is nearly always the last one.
func (l *answerLists) of(heard int64) *storedAnswers {
	for i := len(*l) - 1; i >= 0; i-- {
		if list := &(*l)[i]; list.Heard == heard {
			return list
		}
	}
	*l = append(*l, storedAnswers{Heard: heard})
	return &(*l)[len(*l)-1]
}

func (s *storedAnswers) of(kind answerKind) *packed {
	switch kind {
	case answeredByProvider:
		return &s.FromProvider
	case displacedCall:
		return &s.Displaced
	default:
		return &s.Others
	}
}
