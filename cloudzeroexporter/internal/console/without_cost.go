package console

import (
	"cmp"
	"context"
	"slices"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// withoutCost are the providers' models that may lack a price: those with calls of
// which no cost was told, of all hours in the books; and those of which every call
// cost 0, since an hour. LiteLLM tells a price of 0 and one that it does not know
// alike.
func (c *console) withoutCost(ctx context.Context, e Exports, since billing.Hour) (unpriced, atZero modelList, err error) {
	all, recent := make(map[string]*group), make(map[string]*group)
	for _, h := range e.Hours() {
		if h.Totals.Unpriced == 0 && h.Hour < since {
			continue
		}
		sums, err := c.sums.hour(ctx, e, h)
		if err != nil {
			return unpriced, atZero, err
		}
		for _, line := range sums.by[byDeployment] {
			addTo(all, line)
			if h.Hour >= since {
				addTo(recent, line)
			}
		}
	}
	unpriced = modelsOf(all, func(g group) bool { return g.Unpriced > 0 }, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.UnpricedTokens, a.UnpricedTokens), cmp.Compare(a.Name, b.Name))
	})
	atZero = modelsOf(recent, func(g group) bool { return g.Cost.IsZero() && g.Requests > g.Unpriced }, largestFirst)
	return unpriced, atZero, nil
}

// modelList is the first models of a list, and how many there are More.
type modelList struct {
	Models []group
	More   int
}

func modelsOf(groups map[string]*group, wanted func(group) bool, order func(a, b group) int) modelList {
	var all []group
	for _, g := range groups {
		if wanted(*g) {
			all = append(all, *g)
		}
	}
	slices.SortFunc(all, order)
	shown := part(span{0, pageRows}, all)
	return modelList{shown, len(all) - len(shown)}
}

// addTo adds the line to the group of its name.
func addTo(groups map[string]*group, line group) {
	g := groups[line.Name]
	if g == nil {
		g = &group{Name: line.Name}
		groups[line.Name] = g
	}
	g.add(line)
}
