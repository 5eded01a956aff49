package jws

import "strings"

const (
	// maxWhole is how many digits the largest double has before its point.
	maxWhole = 309

	// firstInfinite is the smallest whole number that rounds to infinity:
	// 2^1024 - 2^970, halfway between the largest double and 2^1024.
	firstInfinite = "179769313486231580793728971405303415079934132710037826936173778980444968292764" +
		"750946649017977587207096330286416692887910946555547851940402630657488671505820" +
		"681908902000708383676273854845817711531764475730270069855571366959622842914819" +
		"860834936475292719074168444365510704342711559699508093042880177904174497792"
)

// number scans the number at the current byte. It refuses one that a double
// cannot hold, which readers refuse, round to infinity or cut off.
func (s *scanner) number() error {
	if n := plainDigits(s.text[s.pos:]); n > 0 {
		s.pos += n
		return nil
	}
	n := measure(s.text[s.pos:])
	if n.length == 0 {
		return s.unexpected("a value")
	}
	if n.mayBeLarge() && roundsToInfinity(s.text[s.pos:s.pos+n.length]) {
		return refuse("number out of range at byte %d", s.pos)
	}
	s.pos += n.length
	return nil
}

// plainDigits returns the length of the number that text starts with if that is
// digits alone and not many, and otherwise 0. Most numbers are times.
func plainDigits(text string) int {
	n := digits(text)
	if n == 0 || n >= maxWhole || n > 1 && text[0] == '0' {
		return 0
	}
	if n < len(text) && (text[n] == '.' || text[n]|0x20 == 'e') {
		return 0
	}
	return n
}

// A measured number is what there is of each of its parts, in bytes.
type measured struct {
	length   int  // of all, 0 if it is no number
	whole    int  // digits before the point
	power    int  // digits of the exponent, 0 without one
	negative bool // the exponent is
}

// mayBeLarge reports whether a number has so many digits before its point, or
// such an exponent, that it has to be looked at.
func (n measured) mayBeLarge() bool {
	const fewWhole, fewPower = 200, 2
	return n.whole >= maxWhole || n.whole >= fewWhole && n.power > 0 || n.power > fewPower && !n.negative
}

// roundsToInfinity reports whether a valid JSON number is too large for a
// double. Digits and exponent decide, each looked at no more than twice. The
// answer is that of [strconv.ParseFloat], which for some numbers takes a
// thousand times as long (many digits near a limit, results that are tiny), and
// before Go 1.27 took a number with more than 800 digits for a smaller one.
func roundsToInfinity(text string) bool {
	text = strings.TrimPrefix(text, "-")
	n := digits(text)
	whole, text := text[:n], text[n:]
	fraction := ""
	if text != "" && text[0] == '.' {
		n = digits(text[1:])
		fraction, text = text[1:1+n], text[1+n:]
	}
	power := 0
	if text != "" {
		power = cutExponent(text[1:])
	}
	point := len(whole) + power // the value is below 10^point
	if point < maxWhole {
		return false
	}
	if whole == "0" {
		significant := strings.TrimLeft(fraction, "0")
		point = power - (len(fraction) - len(significant))
		whole, fraction = "", significant
		if significant == "" || point < maxWhole {
			return false
		}
	}
	return point > maxWhole || atLeastInfinite(whole, fraction)
}

// atLeastInfinite compares a number of maxWhole digits before its point with
// firstInfinite. Its digits are those of whole and then of fraction; missing
// ones are zero.
func atLeastInfinite(whole, fraction string) bool {
	limit := firstInfinite
	for _, part := range [...]string{whole, fraction} {
		n := min(len(part), len(limit))
		if part[:n] != limit[:n] {
			return part[:n] > limit[:n]
		}
		limit = limit[n:]
	}
	return limit == "" // or else it goes on, and not with zeros alone
}

// cutExponent reads a signed exponent. Of one above 9,999 in size the first
// five digits count, as everywhere in the standard library: the rest would
// matter to a number of as many digits only.
func cutExponent(text string) int {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	n := 0
	for i := 0; i < len(text) && n < 10_000; i++ {
		n = n*10 + int(text[i]-'0')
	}
	if negative {
		return -n
	}
	return n
}

// measure measures the JSON number that text starts with.
func measure(text string) measured {
	var n measured
	i := 0
	if i < len(text) && text[i] == '-' {
		i++
	}
	n.whole = digits(text[i:])
	if n.whole == 0 || (n.whole > 1 && text[i] == '0') {
		return measured{}
	}
	i += n.whole
	if i < len(text) && text[i] == '.' {
		fraction := digits(text[i+1:])
		if fraction == 0 {
			return measured{}
		}
		i += 1 + fraction
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			n.negative = text[i] == '-'
			i++
		}
		if n.power = digits(text[i:]); n.power == 0 {
			return measured{}
		}
		i += n.power
	}
	n.length = i
	return n
}

// digits returns how many decimal digits text starts with.
func digits(text string) int {
	i := 0
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return i
}
