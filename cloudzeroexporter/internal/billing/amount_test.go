package billing

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseAmountRoundsOnceHalfToEven(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0":                            "0",
		"-0.0":                         "0",
		"0.002":                        "0.002",
		"1":                            "1",
		"007.50":                       "7.5",
		".5":                           "0.5",
		"5.":                           "5",
		" 3.25 ":                       "3.25",
		"+1.5":                         "1.5",
		"8.4e-05":                      "0.000084",
		"1E3":                          "1000",
		"1.25e2":                       "125",
		"1e-15":                        "0.000000000000001",
		"1e-16":                        "0",
		"0e999999999999":               "0",
		"1e-999999999999":              "0",
		"0.0005680500000000001":        "0.00056805",
		"0.0000000000000005":           "0", // half, to even 0
		"0.0000000000000015":           "0.000000000000002",
		"0.0000000000000025":           "0.000000000000002",
		"0.00000000000000250000000001": "0.000000000000003",
		"0.9999999999999995":           "1",
		"9999999999.123456789012345":   "9999999999.123456789012345",
		"1000000000000000000":          "1000000000000000000",
		"0000000000000000000000000001": "1",
	} {
		got, err := ParseAmount(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.String(), text)
	}
}

func TestParseAmountNamesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"": ErrNotAmount, " ": ErrNotAmount, ".": ErrNotAmount, "-": ErrNotAmount, "abc": ErrNotAmount,
		"NaN": ErrNotAmount, "inf": ErrNotAmount, "1,5": ErrNotAmount, "1.2.3": ErrNotAmount,
		"1e": ErrNotAmount, "1e+": ErrNotAmount, "e5": ErrNotAmount, "0x10": ErrNotAmount, "1 2": ErrNotAmount,
		"-1": ErrNegative, "-0.000000000000001": ErrNegative,
		"1e19": ErrTooLarge, "99999999999999999999": ErrTooLarge, "1e999999999999": ErrTooLarge,
	} {
		_, err := ParseAmount(text)
		assert.ErrorIs(t, err, want, text)
	}
}

func TestAmountOfTakesTheShortestDecimal(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0.0005680500000000001: "0.00056805",
		0.1 + 0.2:             "0.3",
		8.4e-05:               "0.000084",
		123456789.125:         "123456789.125",
		5e-324:                "0",
	} {
		got, err := AmountOf(f)
		require.NoError(t, err)
		assert.Equal(t, want, got.String())
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := AmountOf(f)
		assert.ErrorIs(t, err, ErrNotAmount)
	}
	_, err := AmountOf(-1e-9)
	require.ErrorIs(t, err, ErrNegative)
	_, err = AmountOf(math.MaxFloat64)
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestAmountRoundsAsBigRationalsDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64Range(0, 1e6).Draw(t, "f")
		got, err := AmountOf(f)
		require.NoError(t, err)
		shortest := strconv.FormatFloat(f, 'g', -1, 64)
		require.Equal(t, roundedByRationals(t, shortest), got.String(), shortest)
	})
}

// roundedByRationals rounds text half to even at 10^-15 in another way.
func roundedByRationals(t *rapid.T, text string) string {
	exact, ok := new(big.Rat).SetString(text)
	require.True(t, ok)
	scaled := exact.Mul(exact, new(big.Rat).SetInt64(femtos))
	quotient, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	switch twice := rest.Lsh(rest, 1).Cmp(scaled.Denom()); {
	case twice > 0, twice == 0 && quotient.Bit(0) == 1:
		quotient.Add(quotient, big.NewInt(1))
	}
	decimal := new(big.Rat).SetFrac(quotient, big.NewInt(femtos)).FloatString(decimals)
	return strings.TrimSuffix(strings.TrimRight(decimal, "0"), ".")
}

func TestSumsDoNotDependOnTheirOrderAndSubtractAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		costs := rapid.SliceOf(rapid.Float64Range(0, 2e9)).Draw(t, "costs")
		var forwards, shuffled Amount
		exact := new(big.Rat)
		for _, f := range costs {
			a, err := AmountOf(f)
			require.NoError(t, err)
			forwards = forwards.Add(a)
			r, _ := new(big.Rat).SetString(a.String())
			exact.Add(exact, r)
		}
		rand.Shuffle(len(costs), func(i, j int) { costs[i], costs[j] = costs[j], costs[i] })
		for _, f := range costs {
			a, _ := AmountOf(f)
			shuffled = shuffled.Add(a)
		}
		require.Equal(t, forwards, shuffled)
		got, _ := new(big.Rat).SetString(forwards.String())
		require.Zero(t, exact.Cmp(got), "%s instead of %s", forwards, exact.FloatString(decimals))
		for _, f := range costs {
			a, _ := AmountOf(f)
			shuffled = shuffled.Sub(a)
		}
		require.True(t, shuffled.IsZero())
	})
}

func TestSubPanicsRatherThanWrap(t *testing.T) {
	t.Parallel()
	assert.Panics(t, func() { Amount{}.Sub(Amount{femto: 1}) })
	assert.Panics(t, func() { Amount{dollars: math.MaxUint64}.Add(Amount{dollars: 1}) })
}

func TestAmountAsText(t *testing.T) {
	t.Parallel()
	var a Amount
	require.NoError(t, a.UnmarshalText([]byte("0.10")))
	text, err := a.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "0.1", string(text))
	assert.InDelta(t, 0.1, a.Float64(), 0)
	assert.EqualError(t, a.UnmarshalText([]byte("x")), `"x": not an amount of money`)
}

// The fast way and the slow way of reading a double are one.
func TestAmountOfSmallIsTheRoundedShortestDecimal(t *testing.T) {
	t.Parallel()
	fast := 0
	check := func(f float64) {
		a, ok := amountOfSmall(f)
		if !ok {
			return
		}
		fast++
		want, err := ParseAmount(strconv.FormatFloat(f, 'e', -1, 64))
		if err != nil || a != want {
			t.Fatalf("%v is %s instead of %s (%v)", f, a, want, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	const rounds = 200_000
	for range rounds {
		f := random.Float64() * math.Pow10(-random.IntN(17))
		check(4 * f)
		// A price, a sum of prices, and the doubles beside a tie.
		price := float64(random.IntN(100_000)) * 1e-9 * float64(random.IntN(10_000))
		check(price)
		check(price + f)
		tie := (math.Floor(f*femtos) + 0.5) / femtos
		check(tie)
		check(math.Nextafter(tie, 0))
		check(math.Nextafter(tie, 4))
	}
	assert.Greater(t, fast, rounds, "the fast way is taken")
	for _, f := range []float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, 4, math.Nextafter(4, 0), -1, math.NaN(), math.Inf(1)} {
		check(f)
	}
}

func TestAmountTakenApart(t *testing.T) {
	t.Parallel()
	a, err := ParseAmount("12.5")
	require.NoError(t, err)
	dollars, femto := a.Parts()
	assert.Equal(t, uint64(12), dollars)
	assert.Equal(t, uint64(500_000_000_000_000), femto)
	again, err := AmountOfParts(dollars, femto)
	require.NoError(t, err)
	assert.Equal(t, a, again)
	_, err = AmountOfParts(0, femtos)
	assert.ErrorIs(t, err, ErrTooLarge)
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0.002", "1e-7", "-3", "9999999999.123456789012345", "..", "1e", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAmount(s)
		if err != nil {
			if !errors.Is(err, ErrNotAmount) && !errors.Is(err, ErrNegative) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		again, err := ParseAmount(a.String())
		if err != nil || again != a {
			t.Fatalf("%q reads as %s and then as %s (%v)", s, a, again, err)
		}
	})
}

func BenchmarkAmountOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = AmountOf(0.0005680500000000001)
	}
}
