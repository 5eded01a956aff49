package dpop

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// defaultPorts are the ports that need not be named (RFC 3986, section 6.2.3).
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// baseOf returns the address in front of the paths of requests.
func baseOf(address string) (string, error) {
	if strings.ContainsAny(address, "?#") {
		return "", errors.New("want an address without query and fragment")
	}
	base, err := normalize(address)
	return strings.TrimSuffix(base, "/"), err
}

// targets returns the addresses that a proof may name for a request, in the form
// that is compared.
func (v *Verifier) targets(url string) ([]string, error) {
	origin, path := splitOrigin(url)
	path, dots, err := normalizePath(path)
	if err != nil {
		return nil, err
	}
	if dots {
		// Which of the server's handlers gets it is not for us to say.
		return nil, errors.New("a path with dots for segments")
	}
	if v.bases == nil {
		target, err := normalize(origin + path)
		return []string{target}, err
	}
	all := make([]string, len(v.bases))
	for i, base := range v.bases {
		all[i] = base + path
	}
	return all, nil
}

// splitOrigin cuts an address in front of its path, and leaves out what follows that.
func splitOrigin(url string) (origin, path string) {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	scheme, rest, found := strings.Cut(url, "://")
	if !found || strings.Contains(scheme, "/") {
		return "", url
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return url, ""
	}
	at := len(scheme) + len("://") + slash
	return url[:at], url[at:]
}

// shown quotes an address for the log, without what may be secret in it.
func shown(url string) string {
	origin, path := splitOrigin(url)
	return refusal.QuoteAddress(origin + path)
}

// normalize returns an address in the one form in which two are compared (RFC 9449,
// section 4.3; RFC 3986, sections 6.2.2 and 6.2.3), without query and fragment.
func normalize(uri string) (string, error) {
	origin, path := splitOrigin(uri)
	scheme, authority, _ := strings.Cut(origin, "://")
	scheme = strings.ToLower(scheme)
	port, known := defaultPorts[scheme]
	switch {
	case !known:
		return "", errors.New("want an address that begins with https:// or http://")
	case authority == "" || strings.ContainsFunc(authority, notInHost):
		return "", errors.New("want a host, and a port if need be, and nothing else in front of the path")
	}
	host, named, ok := splitPort(strings.ToLower(authority))
	if !ok {
		return "", errors.New("want a host, and a port with digits if any")
	}
	if named == ":"+port {
		named = ""
	}
	path, _, err := normalizePath(path)
	if err != nil {
		return "", err
	}
	return scheme + "://" + host + named + path, nil
}

// splitPort cuts an authority behind its host, and reports whether it is one and a port, if
// any, with its colon (RFC 3986, section 3.2).
func splitPort(authority string) (host, port string, ok bool) {
	end := strings.IndexByte(authority, ':')
	if strings.HasPrefix(authority, "[") { // an address, which has colons
		end = strings.IndexByte(authority, ']') + 1
	}
	if end < 0 {
		end = len(authority)
	}
	host, port = authority[:end], authority[end:]
	inside := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return host, port, inside != "" && !strings.ContainsAny(inside, "[]") && (port == "" || isPort(port))
}

// isPort reports whether a text is a colon and digits.
func isPort(text string) bool {
	digits, found := strings.CutPrefix(text, ":")
	return found && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// notInHost reports whether r is in no host name or address, and in no port.
func notInHost(r rune) bool {
	return !(r < utf8.RuneSelf && isUnreserved(byte(r))) && !strings.ContainsRune(":[]", r)
}

// normalizePath brings escapes into one form, removes the segments . and .., and
// reports whether there were any.
func normalizePath(path string) (normal string, dots bool, err error) {
	if path == "" {
		return "/", false, nil
	}
	if path[0] != '/' {
		return "", false, errors.New("want a path that begins with /")
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			if c, err = unhex(path[i+1:]); err != nil {
				return "", false, err
			}
			i += 2
			if !isUnreserved(c) {
				writeEscape(&b, c)
				continue
			}
			b.WriteByte(c)
		case c <= ' ' || c == 0x7f:
			return "", false, errors.New("white space or a control character")
		case isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@/", c) >= 0:
			b.WriteByte(c)
		default:
			writeEscape(&b, c)
		}
	}
	normal, dots = removeDots(b.String())
	return normal, dots, nil
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

const hexDigits = "0123456789ABCDEF"

func writeEscape(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(hexDigits[c>>4])
	b.WriteByte(hexDigits[c&15])
}

// unhex returns the byte whose two hexadecimal digits a text begins with.
func unhex(text string) (byte, error) {
	if len(text) >= 2 {
		high, low := strings.IndexByte(hexDigits, upper(text[0])), strings.IndexByte(hexDigits, upper(text[1]))
		if high >= 0 && low >= 0 {
			return byte(high<<4 | low), nil
		}
	}
	return 0, errors.New("a % without two hexadecimal digits")
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// removeDots removes the segments . and .. of an absolute path (RFC 3986, section
// 5.2.4), and reports whether there were any.
func removeDots(path string) (string, bool) {
	if !strings.Contains(path, "/.") {
		return path, false
	}
	var kept []string
	dots := false
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s != "." && s != ".." {
			kept = append(kept, s)
			continue
		}
		dots = true
		if s == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if i == len(segments)-1 {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/"), dots
}
