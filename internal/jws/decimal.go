package jws

// decimal is a number as written: digits, of which whole stand before the
// decimal point once the exponent is applied. Whole may be negative or larger
// than the number of digits.
type decimal struct {
	negative bool
	digits   string // the digits before the point as written
	fraction string // the digits after it
	whole    int
}

// readDecimal reads a valid JSON number.
func readDecimal(text string) decimal {
	var d decimal
	if text[0] == '-' {
		d.negative = true
		text = text[1:]
	}
	n := digits(text)
	d.digits, text = text[:n], text[n:]
	if text != "" && text[0] == '.' {
		n = digits(text[1:])
		d.fraction, text = text[1:1+n], text[1+n:]
	}
	d.whole = len(d.digits)
	if text != "" {
		d.whole += exponent(text[1:])
	}
	return d
}

// exponent reads a signed exponent. One too large to matter is cut to a size
// that still does not matter and cannot overflow.
func exponent(text string) int {
	const farAway = 1 << 27 // ten times as much still fits 32 bits
	sign := 1
	switch text[0] {
	case '-':
		sign, text = -1, text[1:]
	case '+':
		text = text[1:]
	}
	n := 0
	for i := range len(text) {
		n = min(n*10+int(text[i]-'0'), farAway)
	}
	return sign * n
}

// at returns the i-th digit counted from the first one written, 0 outside.
func (d decimal) at(i int) int64 {
	switch {
	case i < 0 || i >= len(d.digits)+len(d.fraction):
		return 0
	case i < len(d.digits):
		return int64(d.digits[i] - '0')
	}
	return int64(d.fraction[i-len(d.digits)] - '0')
}

// seconds returns d as seconds and nanoseconds after them, unless it is out of
// range.
func (d decimal) seconds() (sec, nsec int64, ok bool) {
	first := 0
	for first < len(d.digits)+len(d.fraction) && d.at(first) == 0 {
		first++
	}
	if first == len(d.digits)+len(d.fraction) {
		return 0, 0, true
	}
	const maxDigits = 12
	if d.whole-first > maxDigits {
		return 0, 0, false
	}
	for i := first; i < d.whole; i++ {
		sec = sec*10 + d.at(i)
	}
	for i := d.whole; i < d.whole+9; i++ {
		nsec = nsec*10 + d.at(i)
	}
	if d.negative {
		sec = -sec
		if nsec > 0 {
			sec, nsec = sec-1, 1_000_000_000-nsec
		}
	}
	return sec, nsec, -maxSeconds <= sec && sec <= maxSeconds
}
