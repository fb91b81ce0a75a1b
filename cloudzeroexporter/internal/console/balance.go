package console

import (
	"net/http"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// balance is GET /cloudzero/balance: read = posted + waiting + held, by month.
func (*console) balance(e Exports, _ *http.Request) (any, error) {
	type month struct {
		Month            string         `json:"month"`
		Read             billing.Amount `json:"read"`
		Posted           billing.Amount `json:"posted"`
		Waiting          billing.Amount `json:"waiting"`
		Held             billing.Amount `json:"held"`
		FoldedRows       int            `json:"folded_rows"`
		UnpricedRequests uint64         `json:"unpriced_requests"`
		UnpricedTokens   uint64         `json:"unpriced_tokens"`
	}
	type conflict struct {
		Month  string `json:"month"`
		Reason string `json:"reason"`
	}
	months, conflicts := []month{}, []conflict{}
	state := e.State(time.Now())
	for _, m := range state.Months {
		months = append(months, month{m.Month.Month.String(), m.Read, m.Posted, m.Waiting, m.Held, m.Folded, m.Unpriced, m.UnpricedTokens})
	}
	for _, c := range state.Conflicts {
		conflicts = append(conflicts, conflict{c.Month.String(), c.Reason})
	}
	return struct {
		Months    []month        `json:"months"`
		Conflicts []conflict     `json:"conflicts"`
		Rejected  billing.Amount `json:"rejected"`
	}{months, conflicts, e.Rejected()}, nil
}

// outcomes is GET /cloudzero/outcomes: what became of the spans since the start.
func (*console) outcomes(e Exports, _ *http.Request) (any, error) {
	type line struct {
		Outcome string `json:"outcome"`
		Spans   int64  `json:"spans"`
		Tokens  int64  `json:"tokens"`
		Meaning string `json:"meaning"`
	}
	lines := make([]line, 0, billing.Outcomes)
	for o, n := range e.Outcomes() {
		lines = append(lines, line{billing.Outcome(o).String(), n.Spans, n.Tokens, meanings[o]})
	}
	return struct {
		Outcomes []line `json:"outcomes"`
	}{lines}, nil
}

// meanings say what an outcome means for the bill, and what can be done.
var meanings = [billing.Outcomes]string{
	billing.Billed:    "Calls whose cost is in the books, once each.",
	billing.Free:      "Hits of LiteLLM's response cache, and models at price 0. They cost nothing.",
	billing.Unpriced:  "Calls with tokens but without a cost. Give the model a price in LiteLLM.",
	billing.Failed:    "Calls that ended in an error and cost nothing.",
	billing.Duplicate: "Calls that were told before; they are in the books already.",
	billing.Invalid:   "Calls whose cost is no amount of money: negative, not a number, or above a million dollars. Look at the price in LiteLLM.",
	billing.Rejected:  "Calls of an hour that is older than the retention and closed for good. Look for a sender that is far behind.",
	billing.Ignored:   "No LLM calls: LiteLLM's spans for routes, caches and databases, and spans of other programs.",
}
