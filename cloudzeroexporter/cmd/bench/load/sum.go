package load

import (
	"math/big"
	"strings"
)

// Sum is what was acknowledged, and what a collector must make of it.
type Sum struct {
	Requests                           int64
	Billed, Duplicates, Ignored, Spans int64
	// Rows is the number of rows that the calls are spread over.
	Rows int
	// Cost is the exact sum of the calls that are to be billed, in dollars.
	Cost *big.Rat
}

// Sent is what was sent in all runs.
func (g *Generator) Sent() Sum {
	sum := Sum{Cost: new(big.Rat)}
	rows := make(map[int]bool)
	for _, s := range g.senders {
		for row, used := range s.rows {
			if used {
				rows[row] = true
			}
		}
		sum.Requests += s.sum.Requests
		sum.Spans += s.sum.Spans
		sum.Billed += s.sum.Billed
		sum.Duplicates += s.sum.Duplicates
		sum.Ignored += s.sum.Ignored
		for cost, calls := range s.costs {
			each, _ := new(big.Rat).SetString(cost) // an Amount is a decimal
			sum.Cost.Add(sum.Cost, each.Mul(each, new(big.Rat).SetInt64(calls)))
		}
	}
	sum.Rows = len(rows)
	return sum
}

// Dollars is the cost as a plain decimal without trailing zeros.
func (s Sum) Dollars() string {
	const places = 15 // of an Amount
	return strings.TrimRight(strings.TrimRight(s.Cost.FloatString(places), "0"), ".")
}
