package main

import (
	"errors"
	"fmt"
	"strings"
)

// agreedPath returns the decoded path of a request's target, if everybody agrees which
// one that is. Proxies and services differ in what they make of encoded slashes, dot
// segments, double slashes, backslashes, path parameters and what is encoded without
// need: a rule for one reading would not hold for another, so that such a path is an
// error (RFC 3986, sections 3.3 and 6.2.2).
func agreedPath(target string) (string, error) {
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
	return string(path), checkSegments(string(path))
}

// checkSegments refuses a path that is a spelling of another one.
func checkSegments(path string) error {
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
	return isUnreserved(c) || strings.IndexByte("~!$&'()*+,=:@/", c) >= 0
}

// isUnsafeEncoded reports whether a byte changes its meaning once somebody decodes it:
// at once, or at a second time.
func isUnsafeEncoded(c byte) bool {
	return c < ' ' || c == 0x7f || isUnreserved(c) || strings.IndexByte(`/\%;?#`, c) >= 0
}

// isUnreserved reports whether a byte never needs to be encoded. The tilde does for
// some clients, and means nothing to anybody.
func isUnreserved(c byte) bool {
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

// covers reports whether path is the one of a rule, or below it.
func covers(rule, path string) bool {
	return rule == "/" || path == rule || strings.HasPrefix(path, rule) && path[len(rule)] == '/'
}

// foldCase returns text in the spelling in which all that differ in case agree.
func foldCase(text string) string { return strings.ToLower(strings.ToUpper(text)) }
