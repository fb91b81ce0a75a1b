package leaks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

const (
	// maxModels bounds the models that are watched.
	maxModels = 1000
	// forgetModel is when a model that is not called is forgotten.
	forgetModel = 7 * 24 * time.Hour
	// leastCostless is how many calls without a cost it takes to say that a
	// model lost its price.
	leastCostless = 5
	// leastCalls is how many calls it takes to judge the share of the unpriced.
	leastCalls = 20
	// leastBefore is how many earlier calls it takes to compare with.
	leastBefore = 100
	// jump is how much the share must have grown, in percent of all calls.
	jump = 25
	// namedModels is how many models a warning names.
	namedModels = 5
)

// Columns of windows of calls.
const (
	allCalls      = iota // all that ought to have a cost
	unpricedCalls        // nothing was said of a cost
	freeCalls            // the cost was said to be 0, as LiteLLM's second dialect does of models without a price
)

// columnOf is the column that a call is counted in beside allCalls, or allCalls
// alone. Hits of LiteLLM's response cache and failed calls are not counted: they
// have no cost by right.
func columnOf(r *usage.Record) (column int, counted bool) {
	switch {
	case r.CacheHit:
		return allCalls, false
	case r.Outcome == billing.Billed:
		return allCalls, true
	case r.Outcome == billing.Unpriced:
		return unpricedCalls, true
	case r.Outcome == billing.Free && r.Tokens.Total() > 0:
		return freeCalls, true
	default:
		return allCalls, false
	}
}

type modelName struct{ provider, model string }

func (n modelName) String() string {
	if n.provider == "" {
		return n.model
	}
	return n.provider + "/" + n.model
}

// model is what is known of a model.
type model struct {
	hadCost bool
	recent  window
	called  time.Time
}

// prices are the models, and all calls together.
type prices struct {
	models map[modelName]*model
	recent window
	// before are the calls that have left recent. They count for an eighth less
	// with each hour, so that what has been so for a day is what is usual.
	before counts
	aged   time.Time
}

func (p *prices) see(name modelName, c counts, now time.Time) {
	p.recent.now = p.recent.now.plus(c)
	name = modelName{usage.Bounded(name.provider), usage.Bounded(name.model)}
	m := p.models[name]
	if m == nil {
		if len(p.models) >= maxModels {
			return
		}
		m = &model{recent: window{began: now}}
		p.models[modelName{strings.Clone(name.provider), strings.Clone(name.model)}] = m
	}
	m.hadCost = m.hadCost || c[allCalls] > c[unpricedCalls]+c[freeCalls]
	m.recent.now = m.recent.now.plus(c)
	m.called = now
}

// roll moves all windows on.
func (p *prices) roll(now time.Time) {
	p.before = p.before.plus(p.recent.roll(now))
	for ; now.Sub(p.aged) >= time.Hour; p.aged = p.aged.Add(time.Hour) {
		for i := range p.before {
			p.before[i] -= p.before[i] / 8
		}
	}
	for name, m := range p.models {
		m.recent.roll(now)
		if now.Sub(m.called) >= forgetModel {
			delete(p.models, name)
		}
	}
}

// lostPrice: a tenth of a model's calls without a cost is no accident.
func (p *prices) lostPrice() verdict {
	var lost []string
	for name, m := range p.models {
		seen := m.recent.sum()
		if costless := seen[unpricedCalls] + seen[freeCalls]; m.hadCost && costless >= leastCostless && costless*10 >= seen[allCalls] {
			lost = append(lost, name.String())
		}
	}
	if len(lost) == 0 {
		return verdict{}
	}
	slices.Sort(lost)
	names := strings.Join(lost[:min(len(lost), namedModels)], ", ")
	if more := len(lost) - namedModels; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return verdict{"Calls come without a cost for models that had one: " + names + ".", int64(len(lost))}
}

// unpricedShare: calls that say nothing of a cost must not be half of all. A
// cost of 0 may be the price, so it counts only where the share of such calls
// was another before.
func (p *prices) unpricedShare() verdict {
	seen, before := p.recent.sum(), p.before
	if seen[allCalls] < leastCalls {
		return verdict{}
	}
	costless := seen[unpricedCalls] + seen[freeCalls]
	switch {
	case seen[unpricedCalls]*2 >= seen[allCalls]:
		return verdict{fmt.Sprintf("Of the last %d model calls, %d came without a cost.", seen[allCalls], seen[unpricedCalls]), seen[unpricedCalls]}
	case before[allCalls] >= leastBefore && percent(costless, seen[allCalls]) >= percent(before[unpricedCalls]+before[freeCalls], before[allCalls])+jump:
		return verdict{fmt.Sprintf("Of the last %d model calls, %d came without a cost or at 0, many more than before.", seen[allCalls], costless), costless}
	default:
		return verdict{}
	}
}

func percent(part, whole int64) int64 { return part * 100 / whole }
