package ledger

import (
	"slices"

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
	// unsaved are those that no stored chunk has yet: a list for each hour that they
	// were heard in.
	unsaved []unsavedAnswers
	// volatile says that they are not stored at all.
	volatile bool
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

// hear remembers an answer, and says whether it repeats one that was heard before.
// One that comes with headers of the provider is as good as another that does: the
// provider gave the same answer twice.
func (a *answers) hear(id uint64, now billing.Hour, fromProvider bool) (repeats bool) {
	kind, mark := answered, markOf(now)
	if fromProvider {
		kind, mark = answeredByProvider, mark|providerMark
	}
	place, added := a.heard.placeMark(id)
	if !added && *place&mark&providerMark == 0 {
		return true
	}
	*place = mark
	a.keep(answer{id, now, kind})
	return false
}

// displace remembers a call whose own time could not be believed.
func (a *answers) displace(id uint64, now billing.Hour) {
	a.displaced.setMark(id, markOf(now))
	a.keep(answer{id, now, displacedCall})
}

// keep has an answer stored, which the journal does not have yet.
func (a *answers) keep(heard answer) {
	list := a.unsavedOf(int64(heard.heard))
	if a.volatile {
		return // that there were some in this hour is enough to forget them in time
	}
	ids := list.of(heard.kind)
	*ids = appendID(*ids, heard.id)
}

// restore remembers what is stored.
func (a *answers) restore(heard answer) {
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

// unsavedAnswers are answers as they are stored. The journal, or the commit under
// way, has the first journaled bytes of each kind.
type unsavedAnswers struct {
	storedAnswers
	journaled [answerKinds]int
}

// unsavedOf is the list of an hour, which is nearly always the last one.
func (a *answers) unsavedOf(heard int64) *unsavedAnswers {
	for i := len(a.unsaved) - 1; i >= 0; i-- {
		if list := &a.unsaved[i]; list.Heard == heard {
			return list
		}
	}
	a.unsaved = append(a.unsaved, unsavedAnswers{storedAnswers: storedAnswers{Heard: heard}})
	return &a.unsaved[len(a.unsaved)-1]
}

// takeUnjournaled returns what the journal does not have, for an entry of it.
func (a *answers) takeUnjournaled() (taken []storedAnswers) {
	for i := range a.unsaved {
		list := &a.unsaved[i]
		s, some := storedAnswers{Heard: list.Heard}, false
		for kind := range answerKinds {
			ids := *list.of(kind)
			*s.of(kind) = ids[list.journaled[kind]:]
			some = some || list.journaled[kind] < len(ids)
			list.journaled[kind] = len(ids)
		}
		if some {
			taken = append(taken, s)
		}
	}
	return taken
}

// putBack says that the journal does not have what was taken for it last.
func (a *answers) putBack(taken []storedAnswers) {
	for i := range taken {
		list := a.unsavedOf(taken[i].Heard)
		for kind := range answerKinds {
			list.journaled[kind] -= len(*taken[i].of(kind))
		}
	}
}

// keepUnsaved adds answers that the journal has and no chunk, before those that
// neither has.
func (a *answers) keepUnsaved(journaled []storedAnswers) {
	for i := range journaled {
		list := a.unsavedOf(journaled[i].Heard)
		for kind := range answerKinds {
			ids, older := list.of(kind), *journaled[i].of(kind)
			*ids = slices.Insert(*ids, list.journaled[kind], older...)
			list.journaled[kind] += len(older)
		}
	}
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
