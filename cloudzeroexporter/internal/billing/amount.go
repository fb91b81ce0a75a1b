package billing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

const (
	// decimals is the number of decimal places that an Amount keeps.
	decimals = 15
	// femtos is the number of an Amount's smallest units in one dollar.
	femtos = 1_000_000_000_000_000
)

var (
	// ErrNotAmount says that a text or double is not a number of dollars:
	// empty, NaN, infinite, or no number at all.
	ErrNotAmount = errors.New("not an amount of money")
	// ErrNegative says that an amount is below zero.
	ErrNegative = errors.New("negative amount of money")
	// ErrTooLarge says that an amount does not fit.
	ErrTooLarge = errors.New("amount of money too large")
)

// Amount is a sum of US dollars, exact in units of 10^-15 dollars and never
// negative. The zero value is 0 dollars; amounts compare with ==. It holds up
// to 1.8·10^19 dollars.
//
// Sums of Amounts do not depend on their order, and printing and parsing one
// gives it back unchanged.
type Amount struct {
	dollars uint64
	femto   uint64 // always below femtos
}

// AmountOf returns the amount of the shortest decimal that reads back as f,
// rounded once to 10^-15 dollars, half to even. That is the figure a person
// sees in LiteLLM, without the noise of binary fractions.
func AmountOf(f float64) (Amount, error) {
	if a, ok := amountOfSmall(f); ok {
		return a, nil
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Amount{}, ErrNotAmount
	}
	var buf [32]byte
	return parse(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
}

// amountOfSmall is AmountOf for what most calls cost, without printing and
// reading a decimal: 4 ns instead of 97. It leaves to it whatever it is not
// sure of.
//
// The shortest decimal of f lies within half a unit in the last place of f:
// below 4, that is within 0.23 of 10^-15. Where f itself lies within a quarter
// of 10^-15 of a multiple, both therefore round to that multiple.
func amountOfSmall(f float64) (a Amount, ok bool) {
	if !(f >= 0 && f < 4) {
		return Amount{}, false
	}
	product := f * femtos
	whole := math.Floor(product)
	rest := product - whole + math.FMA(f, femtos, -product) // exact, however f*femtos was rounded
	up := math.Round(rest)
	if math.Abs(rest-up) > 0.25 {
		return Amount{}, false
	}
	n := uint64(whole + up)
	return Amount{dollars: n / femtos, femto: n % femtos}, true
}

// ParseAmount reads a decimal number, with or without an exponent, rounded once
// to 10^-15 dollars, half to even. Its errors are [ErrNotAmount], [ErrNegative]
// and [ErrTooLarge].
func ParseAmount(s string) (Amount, error) {
	return parse([]byte(strings.TrimSpace(s)))
}

// AmountOfParts returns the amount of whole dollars and units of 10^-15 dollars,
// as [Amount.Parts] took it apart.
func AmountOfParts(dollars, femto uint64) (Amount, error) {
	if femto >= femtos {
		return Amount{}, ErrTooLarge
	}
	return Amount{dollars, femto}, nil
}

// Parts takes a apart into whole dollars and units of 10^-15 dollars.
func (a Amount) Parts() (dollars, femto uint64) { return a.dollars, a.femto }

// Add returns a + b. It panics on overflow, which no sum of believable costs
// reaches.
func (a Amount) Add(b Amount) Amount {
	femto := a.femto + b.femto
	var carry uint64
	if femto >= femtos {
		femto, carry = femto-femtos, 1
	}
	dollars, overflow := bits.Add64(a.dollars, b.dollars, carry)
	if overflow != 0 {
		panic("billing: amount overflows")
	}
	return Amount{dollars, femto}
}

// Sub returns a - b. It panics when b is the larger one: a part was counted
// that its whole does not have.
func (a Amount) Sub(b Amount) Amount {
	if a.Cmp(b) < 0 {
		panic(fmt.Sprintf("billing: %s - %s is negative", a, b))
	}
	if a.femto < b.femto {
		return Amount{a.dollars - b.dollars - 1, a.femto + femtos - b.femto}
	}
	return Amount{a.dollars - b.dollars, a.femto - b.femto}
}

// Cmp is negative when a is less than b, zero when they are equal, else positive.
func (a Amount) Cmp(b Amount) int {
	return cmp.Or(cmp.Compare(a.dollars, b.dollars), cmp.Compare(a.femto, b.femto))
}

// IsZero says whether a is 0 dollars.
func (a Amount) IsZero() bool { return a == Amount{} }

// Float64 is the nearest double, for gauges and charts. Never calculate with it.
func (a Amount) Float64() float64 {
	f, _ := strconv.ParseFloat(a.String(), 64) // always a number
	return f
}

// String prints the exact amount as a plain decimal without trailing zeros:
// 0, 12, 0.0001993.
func (a Amount) String() string { return string(a.Append(nil)) }

// Append appends what [Amount.String] prints to b.
func (a Amount) Append(b []byte) []byte {
	b = strconv.AppendUint(b, a.dollars, 10)
	if a.femto == 0 {
		return b
	}
	// A leading 1 keeps the zeros behind the point; it is overwritten by it.
	point := len(b)
	b = strconv.AppendUint(b, femtos+a.femto, 10)
	b[point] = '.'
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// MarshalText implements [encoding.TextMarshaler] with [Amount.String].
func (a Amount) MarshalText() ([]byte, error) { return a.Append(nil), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] with [ParseAmount].
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := parse(text)
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	*a = parsed
	return nil
}
