package litellm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// sent is what LiteLLM's span exporter did. What a LiteLLM that is killed had
// not sent is lost before anybody could bill it; what it was sending may have
// arrived or not, each request as a whole.
type sent struct {
	acknowledged map[string]bool // by id of the call
	uncertain    [][]string      // the calls of each request that was not acknowledged
	givenUp      []string        // calls in requests that failed
}

// export is a line about a request of the exporter: first the calls in it, later
// how it went.
type export struct {
	Request string   `json:"request"`
	Calls   []string `json:"calls"`
	Result  string   `json:"result"`
}

// sent reads what testdata/truth.py recorded of the exporter.
func (w *world) sent() sent {
	w.t.Helper()
	s := sent{acknowledged: make(map[string]bool)}
	open := make(map[string][]string)
	for _, text := range lines(w.t, w.exports) {
		var e export
		require.NoError(w.t, json.Unmarshal(text, &e), "%s", text)
		switch e.Result {
		case "":
			open[e.Request] = e.Calls
			continue
		case "SUCCESS":
			for _, id := range open[e.Request] {
				s.acknowledged[id] = true
			}
			delete(open, e.Request)
		default:
			s.givenUp = append(s.givenUp, open[e.Request]...) // which may have arrived all the same
		}
	}
	for _, calls := range open {
		calls = slices.DeleteFunc(calls, func(id string) bool { return s.acknowledged[id] })
		if len(calls) > 0 {
			s.uncertain = append(s.uncertain, calls)
		}
	}
	return s
}

// possible are the truths that agree with what was sent: the calls that were
// acknowledged, with each choice of the uncertain requests.
func (s sent) possible(calls []call) [][]call {
	truths := make([][]call, 0, 1<<len(s.uncertain))
	for choice := range 1 << len(s.uncertain) {
		arrived := make(map[string]bool)
		for i, request := range s.uncertain {
			for _, id := range request {
				arrived[id] = choice&(1<<i) != 0
			}
		}
		var truth []call
		for _, c := range calls {
			if s.acknowledged[c.ID] || arrived[c.ID] {
				truth = append(truth, c)
			}
		}
		truths = append(truths, truth)
	}
	return truths
}

// fates tells what became of the calls that cost something on their way out of
// LiteLLM, where its spans tell their ids. What was acknowledged and is not on the bill
// was lost by us.
func (w *world) fates() string {
	w.t.Helper()
	s := w.sent()
	if len(s.acknowledged) == 0 {
		return "nothing is known: it sent no spans, or none with ids of calls\n"
	}
	fates := make(map[string][]string)
	for _, c := range w.calls() {
		fate := "in no request of its span exporter"
		switch {
		case c.zero():
			continue
		case s.acknowledged[c.ID]:
			fate = "acknowledged by the collector"
		case slices.Contains(s.givenUp, c.ID):
			fate = "given up by its span exporter"
		case slices.ContainsFunc(s.uncertain, func(calls []string) bool { return slices.Contains(calls, c.ID) }):
			fate = "sent, without an answer"
		}
		fates[fate] = append(fates[fate], c.ID)
	}
	var text strings.Builder
	for _, fate := range slices.Sorted(maps.Keys(fates)) {
		fmt.Fprintf(&text, "%d calls %s: %v\n", len(fates[fate]), fate, fates[fate])
	}
	return text.String()
}
