package console

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// dimension is what rows can be summed up by.
type dimension int

const (
	byTeam dimension = iota
	byUser
	byModel
	byProvider
	byDeployment // provider and model
	dimensions   = iota
)

// maxSums bounds the lines that are remembered, at about 100 bytes each.
const maxSums = 500_000

// sums remembers what the rows of each hour add up to, so that a month is looked
// at without reading all of it again. Looking at what has not changed is cheap.
type sums struct {
	mu    sync.Mutex // guards everything below
	of    Exports    // whose hours these are
	hours map[billing.Hour]*hourSums
	lines int
}

// hourSums is what the rows of an hour add up to. It does not change.
type hourSums struct {
	revision uint64
	rows     int
	by       [dimensions][]group
}

// group is what rows add up to that have something in common.
type group struct {
	Name string `json:"name"`
	// Alias is the team's name.
	Alias    string         `json:"alias,omitempty"`
	Cost     billing.Amount `json:"cost"`
	Tokens   uint64         `json:"tokens"`
	Requests uint64         `json:"requests"`
	// Unpriced are those of the requests that had no price.
	Unpriced       uint64 `json:"unpriced_requests,omitempty"`
	UnpricedTokens uint64 `json:"unpriced_tokens,omitempty"`
}

func (g *group) add(o group) {
	g.Cost, g.Tokens, g.Requests = g.Cost.Add(o.Cost), g.Tokens+o.Tokens, g.Requests+o.Requests
	g.Unpriced, g.UnpricedTokens = g.Unpriced+o.Unpriced, g.UnpricedTokens+o.UnpricedTokens
	g.Alias = cmp.Or(o.Alias, g.Alias) // the newer one
}

func newSums() *sums { return &sums{hours: make(map[billing.Hour]*hourSums)} }

// hour returns the sums of an hour, of the summary's revision or a newer one.
func (s *sums) hour(ctx context.Context, e Exports, h ledger.Summary) (*hourSums, error) {
	if known := s.get(e, h); known != nil {
		return known, nil
	}
	c, err := e.Contents(ctx, h.Hour)
	if err != nil {
		return nil, err
	}
	sums := sumsOf(c)
	s.put(e, h.Hour, sums)
	return sums, nil
}

func (s *sums) get(e Exports, h ledger.Summary) *hourSums {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.hours[h.Hour]; ok && s.of == e && known.revision >= h.Revision {
		return known
	}
	return nil
}

func (s *sums) put(e Exports, at billing.Hour, h *hourSums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := 0
	for _, groups := range h.by {
		lines += len(groups)
	}
	if s.of != e || s.lines+lines > maxSums {
		s.of, s.lines = e, 0
		clear(s.hours)
	}
	if old, ok := s.hours[at]; ok {
		for _, groups := range old.by {
			s.lines -= len(groups)
		}
	}
	s.lines += lines
	s.hours[at] = h
}

func sumsOf(c ledger.Contents) *hourSums {
	h := &hourSums{revision: c.Revision, rows: len(c.Rows)}
	var at [dimensions]map[string]int
	for d := range at {
		at[d] = make(map[string]int)
	}
	for _, row := range c.Rows {
		for d, name := range names(row) {
			i, ok := at[d][name]
			if !ok {
				i = len(h.by[d])
				at[d][name] = i
				h.by[d] = append(h.by[d], group{Name: name})
			}
			g := group{
				Cost: row.Cost, Tokens: row.Tokens.Total(), Requests: row.Requests, Unpriced: row.Unpriced, UnpricedTokens: row.UnpricedTokens,
			}
			if dimension(d) == byTeam {
				g.Alias = row.TeamAlias
			}
			h.by[d][i].add(g)
		}
	}
	for d := range h.by {
		h.by[d] = slices.Clip(h.by[d])
	}
	return h
}

// names are the row's, by dimension.
func names(r cbf.Row) [dimensions]string {
	return [dimensions]string{
		byTeam: r.Team, byUser: r.Value(cbf.User), byModel: r.Model, byProvider: r.Provider, byDeployment: r.Provider + "/" + r.Model,
	}
}
