package proxied

import (
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
)

// CheckName reports why a header is not to be had for what the caller is. It
// begins with "X-" or "Remote-": others have a meaning to somebody on the way.
func CheckName(name string) error {
	for i := range len(name) {
		if !IsUnreserved(name[i]) || name[i] == '_' || name[i] == '.' {
			return errors.New(`want letters, digits and hyphens; servers take "_" for "-"`)
		}
	}
	lowered := strings.ToLower(name)
	for _, taken := range []string{"x-forwarded-", "x-original-", "x-real-ip", "x-envoy-", "x-content-type-options"} {
		if strings.HasPrefix(lowered, taken) {
			return errors.New("it is the proxy's own")
		}
	}
	for _, begin := range []string{"x-", "remote-"} {
		if strings.HasPrefix(lowered, begin) && len(name) > len(begin) {
			return nil
		}
	}
	return errors.New(`want one that begins with "X-" or "Remote-": others have a meaning to proxies and services`)
}

// A Names is a set of headers that say what the caller is, by their folded names.
type Names map[string]bool

// NamesOf returns the set of these headers.
func NamesOf(names ...string) Names {
	set := make(Names, len(names))
	for _, name := range names {
		set[foldName(name)] = true
	}
	return set
}

// Aliases returns the headers of a request, as they are spelled, that servers may take for
// one of the set which make a variable of a header's name: "X_Auth_Identity", or
// "X~Auth~Identity". The header itself is none: whoever sets it replaces that.
func (n Names) Aliases(h http.Header) (aliases []string) {
	for name := range h {
		if strings.ContainsFunc(name, isOdd) && n[foldName(name)] {
			aliases = append(aliases, name)
		}
	}
	slices.Sort(aliases)
	return aliases
}

// Connection returns the header Connection without the names of the set, whatever stands
// around them, and whether it had any. Whoever is called next drops what is named there as
// the connection's alone (RFC 9110, section 7.6.1), and what was set in its place, too.
func (n Names) Connection(h http.Header) (left string, named bool) {
	var kept []string
	for _, value := range h["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			option = strings.Trim(option, " \t")
			name, _, _ := strings.Cut(option, ";")
			if n[strings.Trim(foldName(name), "-")] {
				named = true
			} else if option != "" {
				kept = append(kept, option)
			}
		}
	}
	return strings.Join(kept, ", "), named
}

// isOdd reports whether a header's name with r in it has another one that is as good.
func isOdd(r rune) bool { return r > 0x7f || r != '-' && !isAlphanumeric(byte(r)) }

// Value makes a value that an issuer chose safe to stand in a header:
// visible ASCII except "%" stays as it is, every other byte, spaces too,
// becomes "%" and two hexadecimal digits. Different values stay different, and
// decoding a URL's path segment gives the value back.
func Value(value string) string { return percentEncoded(value, '%') }

// List is [Value] for several values, separated by commas, which are
// encoded within them: a comma in a role makes no second role.
func List(values iter.Seq[string]) string {
	var out strings.Builder
	for value := range values {
		if value == "" {
			continue // which cannot be told from none
		}
		if out.Len() > 0 {
			out.WriteByte(',')
		}
		out.WriteString(percentEncoded(value, ','))
	}
	return out.String()
}

// percentEncoded encodes every byte that is not visible ASCII, "%", and one more.
func percentEncoded(value string, more byte) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(value) {
		if c := value[i]; c > ' ' && c < 0x7f && c != '%' && c != more {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}

// TokenHeaders are the request headers that a token may stand in, or the proof beside it.
// Once these were taken out, what is left of each is for the proxy to hand on.
var TokenHeaders = [...]string{"Authorization", "Cookie", "Sec-Websocket-Protocol", "Dpop"}

// Left returns what is left of such a header, empty where nothing is.
func Left(h http.Header, name string) string {
	if name == "Cookie" {
		return strings.Join(h[name], "; ") // RFC 9113, section 8.2.3
	}
	return strings.Join(h[name], ", ")
}
