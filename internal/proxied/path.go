// Package proxied knows what a proxy, whom it asks, and the service behind it have to
// agree on: which path and method a request has, and what a header says of the caller.
package proxied

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Path returns the decoded path of a request's target, if everybody agrees which
// one that is. Proxies and services differ in what they make of encoded slashes, dot
// segments, double slashes, backslashes, path parameters, what is encoded without
// need and what is no UTF-8, such as a slash of two bytes: a rule for one reading would not hold for another, so that such a path is an
// error (RFC 3986, sections 3.3 and 6.2.2).
func Path(target string) (string, error) {
	raw, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(raw, "/") {
		return "", errors.New("it does not begin with a slash")
	}
	path := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%':
			decoded, ok := unhex(raw[i:])
			if !ok {
				return "", errors.New(`there is a "%" without two hexadecimal digits`)
			}
			if isUnsafeEncoded(decoded) {
				return "", fmt.Errorf("%%%02X is encoded in it", decoded)
			}
			path = append(path, decoded)
			i += 2
		case isPathByte(c):
			path = append(path, c)
		default:
			return "", fmt.Errorf("%q stands in it", c)
		}
	}
	if !utf8.Valid(path) {
		return "", errors.New("what is encoded in it is not UTF-8")
	}
	if err := CheckSegments(string(path)); err != nil {
		return "", err
	}
	return string(path), nil
}

// CheckSegments refuses a path that is a spelling of another one.
func CheckSegments(path string) error {
	segments := strings.Split(path, "/")[1:]
	for i, segment := range segments {
		switch {
		case segment == "" && i < len(segments)-1:
			return errors.New("two slashes stand in a row")
		case segment != "" && strings.Trim(segment, ".") == "":
			return errors.New("a segment has dots alone")
		}
	}
	return nil
}

// isPathByte reports whether a byte stands for itself in a path: an unreserved one, a
// separator that nothing gives a meaning to, or a slash.
func isPathByte(c byte) bool {
	return IsUnreserved(c) || strings.IndexByte("~!$&'()*+,=:@/", c) >= 0
}

// isUnsafeEncoded reports whether a byte changes its meaning once somebody decodes it:
// at once, or at a second time.
func isUnsafeEncoded(c byte) bool {
	return c < ' ' || c == 0x7f || IsUnreserved(c) || strings.IndexByte(`/\%;?#`, c) >= 0
}

// IsUnreserved reports whether a byte never needs to be encoded. The tilde does for
// some clients, and means nothing to anybody.
func IsUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// unhex returns the byte of the "%" and two hexadecimal digits that text begins with.
func unhex(text string) (byte, bool) {
	if len(text) < 3 {
		return 0, false
	}
	high := strings.IndexByte(hexDigits, lower(text[1]))
	low := strings.IndexByte(hexDigits, lower(text[2]))
	return byte(high<<4 | low), high >= 0 && low >= 0
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
