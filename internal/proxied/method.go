package proxied

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// CheckMethod refuses a method that services may read differently: methods differ by
// case (RFC 9110, section 9.1), and there are servers and frameworks that put them in
// capitals first. A rule for POST would not hold for "post", and the service serve it.
// Nor does a rule hold for what is no method at all: in capitals, or without what stands
// around it, it may be one.
func CheckMethod(method string) error {
	if strings.ContainsFunc(method, func(r rune) bool { return 'a' <= r && r <= 'z' }) {
		return errors.New("its letters are not all capitals")
	}
	return checkToken(method)
}

// checkToken refuses what is no method at all.
func checkToken(method string) error {
	if method == "" {
		return errors.New("it is empty")
	}
	for i := range len(method) {
		if c := method[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return errors.New("it has a character that no method has (RFC 9110, section 9.1)")
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// CheckMethodHeaders refuses a header by which services let a client name a method other
// than the request's own: a rule for DELETE would not hold for what says POST first.
func CheckMethodHeaders(h http.Header) error {
	for name := range h {
		folded := foldName(name)
		if strings.HasPrefix(folded, "x-http-method") || strings.HasPrefix(folded, "x-method-") {
			return fmt.Errorf("the header %.40q can name another one", name)
		}
	}
	return nil
}

// foldName returns a header's name as servers see it that make a variable of it: with
// them case does not count, and every character that is no letter or digit is the same.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
}
