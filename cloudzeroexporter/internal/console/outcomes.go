package console

import (
	"net/http"
	"slices"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Outcomes is what became of everything that came since the start.
type Outcomes struct {
	Spans  [billing.Outcomes]Outcome
	Points [billing.PointOutcomes]int64 // of metrics
}

// Outcome counts spans with the same outcome, and their tokens.
type Outcome struct{ Spans, Tokens int64 }

// spanLine and pointLine are an outcome in a list.
type spanLine struct {
	Outcome string `json:"outcome"`
	Spans   int64  `json:"spans"`
	Tokens  int64  `json:"tokens"`
	Meaning string `json:"meaning"`
}

type pointLine struct {
	Outcome string `json:"outcome"`
	Points  int64  `json:"points"`
	Meaning string `json:"meaning"`
}

func (o Outcomes) spanLines() []spanLine {
	lines := make([]spanLine, 0, len(o.Spans))
	for i, n := range o.Spans {
		lines = append(lines, spanLine{billing.Outcome(i).String(), n.Spans, n.Tokens, meanings[i]})
	}
	return lines
}

// pointLines are none where no metrics come.
func (o Outcomes) pointLines() []pointLine {
	lines := []pointLine{}
	if slices.Max(o.Points[:]) == 0 {
		return lines
	}
	for i, n := range o.Points {
		lines = append(lines, pointLine{billing.PointOutcome(i).String(), n, pointMeanings[i]})
	}
	return lines
}

// outcomes is GET /cloudzero/outcomes: what became of the spans, and of the points
// of metrics, since the start.
func (*console) outcomes(e Exports, _ *http.Request) (any, error) {
	o := e.Outcomes()
	return struct {
		Spans  []spanLine  `json:"outcomes"`
		Points []pointLine `json:"points"`
	}{o.spanLines(), o.pointLines()}, nil
}

// meanings say what an outcome means for the bill, and what can be done.
var meanings = [billing.Outcomes]string{
	billing.Billed:    "Calls whose cost is in the books, once each.",
	billing.Free:      "Calls at cost 0: hits of LiteLLM's response cache, models at price 0, and models whose price LiteLLM does not know.",
	billing.Unpriced:  "Calls with tokens of which no cost was told. Update LiteLLM, or give the model a price in it.",
	billing.Failed:    "Calls that ended in an error and cost nothing.",
	billing.Duplicate: "Calls that were told before; they are in the books already.",
	billing.Invalid:   "Calls whose cost is no amount of money: negative, not a number, or above a million dollars. Look at the price in LiteLLM.",
	billing.Rejected:  "Calls of an hour that is older than the retention and closed for good. Look for a sender that is far behind.",
	billing.Ignored:   "No LLM calls: LiteLLM's spans for routes, caches and databases, spans of other programs, and all spans where metrics are billed.",
}

var pointMeanings = [billing.PointOutcomes]string{
	billing.PointBilled:    "What they tell is in the books, once.",
	billing.PointUnchanged: "Repetitions of a running total that has not grown.",
	billing.PointDuplicate: "They were told before; they are in the books already.",
	billing.PointSkipped:   "First points of running totals that may have been billed before; counting begins with them.",
	billing.PointExcess:    "Series beyond limits::series, not billed. Raise it.",
	billing.PointInvalid:   "Their sum is no amount of money, or does not add up.",
	billing.PointRejected:  "Points of an hour that is older than the retention and closed for good.",
	billing.PointIgnored:   "They tell nothing of cost or tokens, or spans are what is billed.",
}
