package keyset

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// byteOrderMark is written in front of UTF-8 by some editors and frameworks.
var byteOrderMark = []byte("\ufeff")

// exactly returns the key's numbers in the one form that RFC 7518 has for them,
// where what is written can mean that number only: with padding, in the other
// base64 alphabet, with zero bytes in front or, in a coordinate, without them.
// That a coordinate lacks zeros and not its end, the curve shows.
func (m *member) exactly() (public, error) {
	p := m.public
	for _, text := range []*string{&p.N, &p.E, &p.X, &p.Y} {
		var err error
		if *text, err = urlAlphabet(*text); err != nil {
			return p, err
		}
	}
	if m.Type != "EC" {
		return p, nil
	}
	size := map[string]int{"P-256": 32, "P-384": 48, "P-521": 66}[m.Curve] // other curves were refused
	for _, text := range []*string{&p.X, &p.Y} {
		var err error
		if *text, err = coordinate(*text, size); err != nil {
			return p, err
		}
	}
	return p, nil
}

// urlAlphabet returns base64 in the URL's alphabet, without padding and line breaks.
// Padding that does not fit its text, and a mixture of alphabets, come of a mishap: what
// was meant is not certain.
func urlAlphabet(text string) (string, error) {
	if !strings.ContainsAny(text, "+/=\r\n") {
		return text, nil
	}
	text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
	bare := strings.TrimRight(text, "=")
	padding := len(text) - len(bare)
	switch {
	case padding > 2, padding > 0 && len(text)%4 != 0:
		return "", fmt.Errorf("base64 with wrong padding: %d characters and %d \"=\"", len(bare), padding)
	case strings.ContainsAny(bare, "+/") && strings.ContainsAny(bare, "-_"):
		return "", errors.New("base64 in two alphabets at once")
	}
	return strings.NewReplacer("+", "-", "/", "_").Replace(bare), nil
}

// coordinate returns a coordinate with as many bytes as its curve has. One that is
// missing stays so.
func coordinate(text string, size int) (string, error) {
	if len(text) == base64.RawURLEncoding.EncodedLen(size) || text == "" {
		return text, nil
	}
	number, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	number = bytes.TrimLeft(number, "\x00")
	if len(number) > size {
		return "", fmt.Errorf("a coordinate of %d bytes, want %d", len(number), size)
	}
	exact := make([]byte, size)
	copy(exact[size-len(number):], number)
	return base64.RawURLEncoding.EncodeToString(exact), nil
}
