// Package forwarded finds where a request came from, by its connection and by what
// trusted proxies have written into its headers.
package forwarded

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// What is read of a header about the way that a request took.
const (
	maxForwarded = 4096 // bytes of a line
	maxHops      = 32   // in a line
)

// Caller returns the address that a request came from: of the connection, or
// what the proxies say was before them, from the last to the first.
// It is the address of the last proxy whose word can be followed where a header
// is malformed, or X-Forwarded-For and Forwarded (RFC 7239) tell different
// stories, of which one may be the caller's own. It is zero when not even the
// connection has an address.
func Caller(r *http.Request, proxies []netip.Prefix) netip.Addr {
	addr, ok := parseHop(r.RemoteAddr)
	if !ok || !contain(proxies, addr) {
		return addr
	}
	plain := r.Header["X-Forwarded-For"]
	standard := r.Header["Forwarded"]
	switch {
	case len(standard) == 0:
		return followHops(addr, proxies, plain, forwardedForHops)
	case len(plain) == 0:
		return followHops(addr, proxies, standard, forwardedHops)
	}
	one, other := followHops(addr, proxies, plain, forwardedForHops), followHops(addr, proxies, standard, forwardedHops)
	if one != other {
		return addr
	}
	return one
}

// followHops goes back over the hops that a header's lines list, as long as they
// are proxies. hops takes a line apart, the last hop in front.
func followHops(addr netip.Addr, proxies []netip.Prefix, lines []string, hops func(line string) ([]string, bool)) netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		if len(lines[i]) > maxForwarded {
			return addr
		}
		list, ok := hops(lines[i])
		if !ok {
			return addr
		}
		for _, text := range list {
			hop, ok := parseHop(text)
			if !ok {
				return addr
			}
			if addr = hop; !contain(proxies, hop) {
				return hop
			}
		}
	}
	return addr
}

func contain(proxies []netip.Prefix, addr netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address, which may have a port, in the one form that is
// compared.
func parseHop(text string) (netip.Addr, bool) {
	bare := text
	if len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']' {
		bare = text[1 : len(text)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(text)
		addr, err = withPort.Addr(), portErr
	}
	return addr.Unmap().WithZone(""), err == nil
}

// forwardedForHops returns the hops in a line of X-Forwarded-For. What is more than
// may be was sent by the caller, and no proxy's word.
func forwardedForHops(line string) ([]string, bool) {
	var hops []string
	for len(hops) < maxHops {
		comma := strings.LastIndexByte(line, ',')
		hops = append(hops, strings.Trim(line[comma+1:], " \t"))
		if comma < 0 {
			break
		}
		line = line[:comma]
	}
	return hops, true
}

// forwardedHops returns the "for" of each element of a line of Forwarded. It is
// false when the line is malformed, or when an element has not exactly one.
func forwardedHops(line string) ([]string, bool) {
	var hops []string
	hop, found := "", false
	for rest := line; ; {
		name, value, next, ok := forwardedPair(rest)
		if !ok || strings.EqualFold(name, "for") && found {
			return nil, false
		}
		if strings.EqualFold(name, "for") {
			hop, found = value, true
		}
		if next == "" || next[0] == ',' {
			if !found {
				return nil, false
			}
			hops = append(hops, hop)
			found = false
		}
		if next == "" {
			slices.Reverse(hops)
			return hops, true
		}
		if len(hops) == maxHops {
			return nil, false
		}
		rest = next[1:]
	}
}

// forwardedPair takes one name=value off a line of Forwarded. next begins with the
// separator behind it, or is empty.
func forwardedPair(line string) (name, value, next string, ok bool) {
	name, rest, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
	if !ok || name == "" || strings.ContainsAny(name, "\" \t,;") {
		return "", "", "", false
	}
	if quoted, is := strings.CutPrefix(rest, `"`); is {
		// No address needs an escape: what has one is followed no further.
		if value, rest, ok = strings.Cut(quoted, `"`); !ok || strings.Contains(value, `\`) {
			return "", "", "", false
		}
	} else {
		end := strings.IndexAny(rest, ",; \t\"")
		if end < 0 {
			end = len(rest)
		}
		value, rest = rest[:end], rest[end:]
	}
	rest = strings.TrimLeft(rest, " \t")
	return name, value, rest, rest == "" || rest[0] == ',' || rest[0] == ';'
}
