package billing

import "math"

// number is a decimal as it is written: its digits without the point, and the
// power of ten that its first digit counts.
type number struct {
	digits   []byte // may still hold the point
	first    int
	negative bool
}

// parse reads text as a decimal and rounds it to an Amount.
func parse(text []byte) (Amount, error) {
	n, ok := scan(text)
	if !ok {
		return Amount{}, ErrNotAmount
	}
	a, err := n.round()
	if err == nil && n.negative && !a.IsZero() {
		return Amount{}, ErrNegative
	}
	return a, err
}

// scan takes a decimal apart: sign, digits with an optional point, exponent.
func scan(text []byte) (n number, ok bool) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		n.negative = text[0] == '-'
		text = text[1:]
	}
	end, point, count := 0, -1, 0
	for ; end < len(text); end++ {
		switch c := text[end]; {
		case c >= '0' && c <= '9':
			count++
		case c == '.' && point < 0:
			point = count
		default:
			if c != 'e' && c != 'E' {
				return n, false
			}
			exponent, ok := scanExponent(text[end+1:])
			n.digits, n.first = text[:end], exponent
			return n.placed(point, count), ok && count > 0
		}
	}
	n.digits = text
	return n.placed(point, count), count > 0
}

func (n number) placed(point, count int) number {
	if point < 0 {
		point = count
	}
	n.first += point - 1
	return n
}

func scanExponent(text []byte) (exponent int, ok bool) {
	sign := 1
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		// Far beyond any double; stopping here keeps the arithmetic in range.
		exponent = min(exponent*10+int(c-'0'), 100_000)
	}
	return sign * exponent, len(text) > 0
}

// round adds up the digits by their place and rounds, half to even, at 10^-15.
func (n number) round() (Amount, error) {
	var (
		a            Amount
		half, sticky int // the first digit that is cut off, and whether any other was not 0
		place        = n.first
	)
	for _, c := range n.digits {
		if c == '.' {
			continue
		}
		d := uint64(c - '0')
		switch {
		case place > 18 && d > 0:
			return Amount{}, ErrTooLarge
		case place >= 0:
			if a.dollars > (math.MaxUint64-d)/10 {
				return Amount{}, ErrTooLarge
			}
			a.dollars = a.dollars*10 + d
		case place >= -decimals:
			a.femto = a.femto*10 + d
		case place == -decimals-1:
			half = int(d) //nolint:gosec // a digit
		case d > 0:
			sticky = 1
		}
		place--
	}
	// The places that were not written are zeros.
	for ; place >= 0 && a.dollars > 0; place-- {
		a.dollars *= 10
	}
	for place = min(place, -1); place >= -decimals && a.femto > 0; place-- {
		a.femto *= 10
	}
	if half > 5 || half == 5 && (sticky == 1 || a.femto%2 == 1) {
		a = a.Add(Amount{femto: 1})
	}
	return a, nil
}
