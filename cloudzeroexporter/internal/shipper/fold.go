package shipper

import (
	"cmp"
	"slices"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// Folded rows are those of a team "other" that no real row can have: their
// split tells them apart.
const foldedTeam = "other"

var foldedSplit = []cbf.Dimension{{Name: "folded", Value: "rows"}}

// foldedGrowth is more than a folded row's totals take in digits.
const foldedGrowth = 120

// room is what an hour may take of its month.
type room struct{ bytes, rows int }

// fold makes rows of these sizes fit into the room: the cheapest become one row for each
// provider and model, so that totals stay exact and the biggest spenders stay
// visible. It returns how many it folded. Where even that does not fit, all are
// folded.
func fold(f cbf.Format, at billing.Hour, rows []cbf.Row, sizes []int, r room) (kept []cbf.Row, folded int) {
	bytes, count := 0, len(rows)
	for _, size := range sizes {
		bytes += size
	}
	cheapest := make([]int, len(rows))
	for i := range cheapest {
		cheapest[i] = i
	}
	slices.SortStableFunc(cheapest, func(a, b int) int { return rows[a].Cost.Cmp(rows[b].Cost) })
	groups := make(map[[2]string]*cbf.Row)
	var order []*cbf.Row
	gone := make([]bool, len(rows))
	for _, i := range cheapest {
		if bytes <= r.bytes && count <= r.rows {
			break
		}
		name := [2]string{rows[i].Provider, rows[i].Model}
		g := groups[name]
		if g == nil {
			g = &cbf.Row{Dimensions: cbf.Dimensions{Provider: name[0], Model: name[1], Team: foldedTeam, Split: foldedSplit}}
			groups[name] = g
			order = append(order, g)
			bytes += len(f.AppendJSON(nil, at, *g)) + foldedGrowth
			count++
		}
		g.Totals = g.Add(rows[i].Totals)
		gone[i] = true
		bytes -= sizes[i]
		count--
		folded++
	}
	for i, row := range rows {
		if !gone[i] {
			kept = append(kept, row)
		}
	}
	slices.SortFunc(order, func(a, b *cbf.Row) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	for _, g := range order {
		kept = append(kept, *g)
	}
	return kept, folded
}
