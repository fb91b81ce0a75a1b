package ledger

import "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"

// answersKept is how long an answer is remembered: a hit of LiteLLM's response
// cache comes hours after the call that it repeats.
const answersKept = 48 // hours

// answers remembers what was heard lately and is tied to no hour: answers of
// providers that were billed, and calls whose own time could not be believed.
type answers struct {
	heard map[uint64]answer
	// unsaved are those that no stored chunk has yet.
	unsaved []answer
	// chunks is the number of stored chunks of each hour of arrival.
	chunks map[billing.Hour]int
}

// answer is one of them: whether headers of the provider came with it, and in
// which hour it was heard.
type answer struct {
	id           uint64
	fromProvider bool
	heard        billing.Hour
}

func newAnswers() answers {
	return answers{heard: make(map[uint64]answer), chunks: make(map[billing.Hour]int)}
}

func (a *answers) has(id uint64) bool {
	_, ok := a.heard[id]
	return ok
}

func (a *answers) get(id uint64) (fromProvider, known bool) {
	heard, known := a.heard[id]
	return heard.fromProvider, known
}

func (a *answers) put(heard answer) {
	a.heard[heard.id] = heard
	a.unsaved = append(a.unsaved, heard)
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
	if expired == nil {
		return nil
	}
	for id, heard := range a.heard {
		if heard.heard < before {
			delete(a.heard, id)
		}
	}
	return expired
}
