package usage

import (
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// maxCost is the largest cost that is believed of one call, in dollars. A
// larger one is not a price but a mistake.
const maxCost = 1_000_000

// number is an attribute that should hold a number. It is read only if asked.
type number struct {
	value pcommon.Value
	known bool
}

// number is the field as a number.
func (c *collector) number(f field) number {
	if c.present&(1<<f) == 0 {
		return number{}
	}
	return number{c.values[f], true}
}

// present says whether anything is there: LiteLLM writes "" for nothing, and
// Python's str() of nothing is None.
func (n number) present() bool {
	if !n.known {
		return false
	}
	switch n.value.Type() {
	case pcommon.ValueTypeEmpty:
		return false
	case pcommon.ValueTypeStr:
		s := n.value.Str()
		return s != "" && s != "None"
	default:
		return true
	}
}

// amount reads the number as dollars. What is no number is an error.
func (n number) amount() (billing.Amount, error) {
	switch n.value.Type() {
	case pcommon.ValueTypeDouble:
		return believed(billing.AmountOf(n.value.Double()))
	case pcommon.ValueTypeInt:
		i := n.value.Int()
		if i < 0 {
			return billing.Amount{}, billing.ErrNegative
		}
		return believed(billing.AmountOfParts(uint64(i), 0))
	case pcommon.ValueTypeStr:
		return believed(billing.ParseAmount(strings.TrimSpace(n.value.Str())))
	default:
		return billing.Amount{}, billing.ErrNotAmount
	}
}

func believed(a billing.Amount, err error) (billing.Amount, error) {
	if dollars, _ := a.Parts(); err == nil && dollars > maxCost {
		return billing.Amount{}, billing.ErrTooLarge
	}
	return a, err
}

// isZero says that the number is 0, absent, or no amount of money.
func (n number) isZero() bool {
	if n.known && n.value.Type() == pcommon.ValueTypeDouble {
		return !(n.value.Double() > 0)
	}
	if !n.present() {
		return true
	}
	a, err := n.amount()
	return err != nil || a.IsZero()
}

// count reads the field as a count of tokens, and says whether it is present.
// What is no count is 0: a call is billed by its cost, and a wrong count must not
// keep it from the bill.
func (c *collector) count(f field) (n uint64, present bool) {
	if c.present&(1<<f) == 0 {
		return 0, false
	}
	switch value := c.values[f]; value.Type() {
	case pcommon.ValueTypeInt:
		if i := value.Int(); i > 0 && i <= billing.MaxTokens {
			return uint64(i), true
		}
	case pcommon.ValueTypeDouble:
		return believedCount(value.Double()), true
	case pcommon.ValueTypeStr:
		if parsed, err := strconv.ParseFloat(strings.TrimSpace(value.Str()), 64); err == nil {
			return believedCount(parsed), true
		}
	default:
	}
	return 0, number{c.values[f], true}.present()
}

func believedCount(f float64) uint64 {
	if f > 0 && f <= billing.MaxTokens && f == math.Trunc(f) {
		return uint64(f)
	}
	return 0
}

// firstCount is the first of two fields that is present, as a count.
func (c *collector) firstCount(first, second field) (n uint64, present bool) {
	if n, present = c.count(first); present {
		return n, true
	}
	return c.count(second)
}

// price is the one cost of a call.
type price struct {
	amount  billing.Amount
	present bool
	err     error // why what is present is no amount of money
}

// price is the first of the candidates that is present, never a sum of parts.
func (c *collector) price() price {
	for _, f := range [...]field{fieldCostTotal, fieldCostGenAI, fieldCostUsage, fieldCostLLM} {
		if c.present&(1<<f) == 0 {
			continue
		}
		value := c.values[f]
		if value.Type() == pcommon.ValueTypeDouble { // nearly always
			a, err := believed(billing.AmountOf(value.Double()))
			return price{a, true, err}
		}
		if n := (number{value, true}); n.present() {
			a, err := n.amount()
			return price{a, true, err}
		}
	}
	return price{}
}

// outcome is what becomes of a call with this price that is told for the first
// time, unless LiteLLM's response cache answered it.
func (p price) outcome(failed bool) billing.Outcome {
	switch {
	case p.err != nil:
		return billing.Invalid
	case failed && p.amount.IsZero():
		return billing.Failed
	case !p.present:
		return billing.Unpriced
	case p.amount.IsZero():
		return billing.Free
	default:
		return billing.Billed
	}
}
