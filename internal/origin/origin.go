// Package origin knows what the origins of web pages look like.
package origin

import (
	"errors"
	"net/url"
	"strings"
)

// defaultPorts are those that a browser leaves out.
var defaultPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}

// Check reports why no browser sends text as the origin of a page (RFC 6454,
// section 6.2): compared with what browsers send, byte by byte, it would never
// be equal. The error says what is wrong with it and not what it is. "null" is
// among the errors, because a page of anybody can have it, and "*" is, too.
func Check(text string) error {
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case text == "":
		return errors.New("it is empty")
	case text == "null":
		return errors.New(`"null" stands for pages of anybody`)
	case strings.Contains(text, "*"):
		return errors.New(`"*" stands for nothing in it`)
	case scheme == "" || rest == "":
		return errors.New("scheme or host is missing")
	case strings.ContainsAny(rest, "/?#"):
		return errors.New("something follows the host, a slash for instance")
	case strings.Contains(rest, "@"):
		return errors.New("a user stands before the host")
	case text != strings.ToLower(text):
		return errors.New("browsers send it in small letters")
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f {
			return errors.New("it has other characters than visible ASCII; browsers send names in their xn-- form")
		}
	}
	if strings.ContainsFunc(rest, isNoHostByte) {
		return errors.New("it has a character that no host has")
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme+"://"+u.Host != text {
		return errors.New("it is no scheme and host")
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && port == defaultPorts[u.Scheme] {
		return errors.New("browsers leave out the port that is the scheme's own")
	}
	return nil
}

// isNoHostByte reports whether r has no place in a host and port as browsers write them,
// an address in brackets among them. package url lets more pass, quotes for instance.
func isNoHostByte(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_~:[]", r)
}
