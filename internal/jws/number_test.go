package jws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// checkNumber compares the rule for one number with [strconv.ParseFloat] and
// reports whether the number is accepted.
func checkNumber(t *testing.T, number string) bool {
	t.Helper()
	_, err := jws.ParseObject(nil, `{"a":`+number+`}`)
	_, want := strconv.ParseFloat(pointFirst(number), 64)
	if (err == nil) != (want == nil) || err != nil && !strings.Contains(err.Error(), "number out of range") {
		t.Errorf("ParseObject() of %s: error = %v, want that of ParseFloat, %v", shortened(number), err, want)
	}
	return err == nil
}

// pointFirst writes a number with more digits than ParseFloat keeps so that all
// of them stand behind the point. Before Go 1.27 it lost count of the others.
func pointFirst(number string) string {
	const kept = 800
	unsigned := strings.TrimPrefix(number, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(unsigned), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if exponent == "" {
		exponent = "0"
	}
	power, err := strconv.Atoi(exponent)
	if len(whole) <= kept || err != nil {
		return number
	}
	return fmt.Sprintf("0.%s%se%d", whole, fraction, power+len(whole))
}

func shortened(number string) string {
	if len(number) <= 400 {
		return number
	}
	return fmt.Sprintf("%s…%s (%d bytes)", number[:350], number[len(number)-50:], len(number))
}

// edges are the largest double, the halfway value from which on numbers round
// to infinity, and what is next to that.
func edges() (largest, below, half, above string) {
	power := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	middle := new(big.Int).Sub(power(1024), power(970))
	return new(big.Int).Sub(power(1024), power(971)).String(),
		new(big.Int).Sub(middle, big.NewInt(1)).String(), middle.String(),
		new(big.Int).Add(middle, big.NewInt(1)).String()
}

// Every number is accepted that a double holds, rounded if need be, and none
// besides.
func TestParseObject_NumberRange(t *testing.T) {
	t.Parallel()
	largest, below, half, above := edges()
	zeros := func(n int) string { return strings.Repeat("0", n) }
	for _, tt := range []struct {
		name   string
		number string
		good   bool
	}{
		{"largest double", largest, true},
		{"negative largest double", "-" + largest, true},
		{"one below the halfway value", below, true},
		{"halfway value, which rounds to even", half, false},
		{"negative halfway value", "-" + half, false},
		{"one above the halfway value", above, false},
		{"just below the halfway value", below + "." + strings.Repeat("9", 3000), true},
		{"just above the halfway value", half + "." + zeros(3000) + "1", false},
		{"halfway value with a fraction of zeros", half + "." + zeros(5), false},
		{"halfway value with its point moved", half[:1] + "." + half[1:] + "e308", false},
		{"one below it with its point moved", below[:1] + "." + below[1:] + "e308", true},
		{"halfway value behind zeros", "0." + zeros(3000) + half + "E+3309", false},
		{"one below it behind zeros", "0." + zeros(3000) + below + "E+3309", true},
		{"halfway value before zeros", half + zeros(3000) + "e-3000", false},
		{"one below it before zeros", below + zeros(3000) + "e-3000", true},
		{"first digits of the halfway value alone", half[:40] + "e269", true},
		{"power of ten within", "1e308", true},
		{"power of ten beyond", "1e309", false},
		{"the same with zeros in the exponent", "1e" + zeros(3000) + "309", false},
		{"the good twin with zeros in the exponent", "1e" + zeros(3000) + "308", true},
		{"308 zeros", "1" + zeros(308), true},
		{"309 zeros", "1" + zeros(309), false},
		{"smallest subnormal", "5e-324", true},
		{"rounds to zero", "2e-324", true},
		{"far too small", "1e-99999999999999999999", true},
		{"far too large", "1e99999999999999999999", false},
		{"zero to a large power", "0e99999999999999999999", true},
		{"many zeros to a large power", "-0." + zeros(3000) + "E+9999", true},
		{"a large power behind as many zeros", "0." + zeros(9000) + "1e9300", true},
		{"a larger power behind as many zeros", "0." + zeros(9000) + "1e9310", false},
		{"a power of six digits, of which five count, behind as many zeros", "0." + zeros(10_000) + "1e100000", true},
		{"308 digits and a power of one", "1" + zeros(307) + "e9", false},
		{"300 digits and a power of one", "1" + zeros(299) + "e8", true},
		{"many zeros before a small power", "1" + zeros(9000) + "e-8692", true},
		{"as many before a larger power", "1" + zeros(9000) + "e-8691", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if good := checkNumber(t, tt.number); good != tt.good {
				t.Errorf("ParseObject() accepts %s: %v, want %v", shortened(tt.number), good, tt.good)
			}
			_, err := jws.ParseObject(nil, `{"a":[`+tt.number+`,{"b":`+tt.number+`}]}`)
			if tt.good != (err == nil) || !tt.good && !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("ParseObject() error = %v inside an array, accepted outside: %v", err, tt.good)
			}
		})
	}
}

// Numbers of all kinds, made at random, are accepted exactly when ParseFloat
// does not call them out of range.
func TestParseObject_NumberRangeAtRandom(t *testing.T) {
	t.Parallel()
	n := 30_000
	if testing.Short() {
		n = 3_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range n {
		if checkNumber(t, randomNumber(random)) {
			accepted++
		}
	}
	if accepted < n/10 || accepted > n-n/10 {
		t.Errorf("%d of %d numbers are accepted, want some of both kinds", accepted, n)
	}
}

// FuzzNumber compares the range rule with ParseFloat for the number that a
// fuzzer writes, and for one that grows out of seed near a limit.
func FuzzNumber(f *testing.F) {
	largest, below, half, above := edges()
	for i, number := range []string{largest, below, half, above, below + ".999", half + ".0e0", "1e-310", "0.0001e313", "0e400", "1e0000000309"} {
		f.Add(number, uint64(i))
	}
	f.Fuzz(func(t *testing.T, number string, seed uint64) {
		if isNumber(number) {
			checkNumber(t, number)
		}
		random := rand.New(rand.NewPCG(seed, 0))
		for range 8 {
			checkNumber(t, randomNumber(random))
		}
	})
}

// isNumber reports whether text is a JSON number, whatever its size.
func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "+-.0123456789eE") == "" && json.Valid([]byte(text))
}

// randomNumber returns a JSON number that is hard to place: many digits, close
// to the limit above, subnormal, or far away with an exponent that brings it
// back.
func randomNumber(random *rand.Rand) string {
	_, below, half, above := edges()
	var d string
	switch random.IntN(6) {
	case 0:
		d = randomDigits(random, 1+random.IntN(20))
	case 1:
		d = randomDigits(random, 1+random.IntN(1000))
	case 2, 3: // the limit, or its neighbours, broken off or continued
		d = []string{below, half, above}[random.IntN(3)]
		if random.IntN(2) == 0 {
			d = d[:1+random.IntN(len(d))]
		}
		d += strings.Repeat([]string{"0", "9"}[random.IntN(2)], random.IntN(40))
		if random.IntN(2) == 0 {
			d += randomDigits(random, 1)
		}
	case 4: // the limit with one digit changed
		changed := []byte(half)
		changed[random.IntN(len(changed))] = byte('0' + random.IntN(10))
		d = string(changed)
	case 5:
		d = strings.Repeat("0", random.IntN(400)) + randomDigits(random, 1+random.IntN(400))
	}
	return withPoint(random, d, randomMagnitude(random))
}

func randomDigits(random *rand.Rand, n int) string {
	d := make([]byte, n)
	for i := range d {
		d[i] = byte('0' + random.IntN(10))
	}
	return string(d)
}

// randomMagnitude returns how many digits stand before the point, mostly where
// it matters.
func randomMagnitude(random *rand.Rand) int {
	switch random.IntN(5) {
	case 0, 1, 2:
		return 307 + random.IntN(5)
	case 3:
		return -330 + random.IntN(30)
	}
	return random.IntN(30_000) - 15_000
}

// withPoint writes 0.digits times ten to the power of magnitude, with the point
// and the exponent in any of the places that mean the same.
func withPoint(random *rand.Rand, digits string, magnitude int) string {
	sign := []string{"", "-"}[random.IntN(2)]
	at := random.IntN(len(digits) + 1)
	whole, fraction := digits[:at], digits[at:]
	for len(whole) > 1 && whole[0] == '0' {
		whole = whole[1:]
	}
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	exponent := magnitude - at
	text := strconv.Itoa(max(exponent, -exponent))
	text = strings.Repeat("0", random.IntN(2)*random.IntN(8)) + text
	if exponent < 0 {
		text = "-" + text
	} else if random.IntN(2) == 0 {
		text = "+" + text
	}
	return sign + whole + fraction + []string{"e", "E"}[random.IntN(2)] + text
}
