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
