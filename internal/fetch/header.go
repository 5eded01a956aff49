package fetch

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// checkContentType accepts what providers in use send for JSON. A static file
// without an extension is commonly plain text or a stream of octets.
func checkContentType(h http.Header) error {
	value := h.Get("Content-Type")
	if value == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(value)
	if err != nil {
		before, _, _ := strings.Cut(value, ";")
		mediaType = strings.ToLower(strings.TrimSpace(before))
	}
	switch {
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"),
		mediaType == "text/plain", mediaType == "text/json",
		mediaType == "application/octet-stream", mediaType == "binary/octet-stream":
		return nil
	case mediaType == "text/html", mediaType == "application/xhtml+xml":
		return fmt.Errorf("%w: got a web page (%s), want application/json", ErrContentType, quote.Value(mediaType))
	}
	return fmt.Errorf("%w: got %s, want application/json", ErrContentType, quote.Value(mediaType))
}

// etag returns the ETag if it can be sent back.
func etag(h http.Header) string {
	v := h.Get("Etag")
	if len(v) > maxETagBytes || !isHeaderValue(v) {
		return ""
	}
	return v
}

// freshness is how long an answer received now may be kept, by RFC 9111, section
// 4.2, for a private cache. It reports false if the server said nothing about it
// that can be understood.
func freshness(h http.Header, now time.Time) (time.Duration, bool) {
	life, known := cacheControl(h)
	if !known {
		life, known = expires(h, now)
	}
	if !known || life < 0 {
		return 0, false
	}
	age, _ := deltaSeconds(first(h.Get("Age")))
	return max(0, life-age), true
}

// cacheControl returns the lifetime given by Cache-Control. One that is present
// but makes no sense is negative, and hides Expires as a good one would.
func cacheControl(h http.Header) (time.Duration, bool) {
	var life time.Duration
	known := false
	for name, value := range directives(h.Values("Cache-Control")) {
		switch name {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			if known {
				continue
			}
			d, ok := deltaSeconds(value)
			if !ok {
				d = -1
			}
			life, known = d, true
		}
	}
	return life, known
}

// expires returns the lifetime given by Expires. A date that cannot be read is
// one in the past, by RFC 9111, section 5.3: "0" and "-1" are in common use.
func expires(h http.Header, now time.Time) (time.Duration, bool) {
	if len(h.Values("Expires")) == 0 {
		return 0, false
	}
	end, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0, true
	}
	return max(0, end.Sub(serverTime(h, now))), true
}

// retryAfter reads Retry-After, as seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if d, ok := deltaSeconds(value); ok {
		return d
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(serverTime(h, now)))
}

// serverTime is the clock by which the server wrote its dates.
func serverTime(h http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return now
}

// deltaSeconds reads a count of seconds, by RFC 9111, section 1.2.2: one too
// large to hold is as large as can be.
func deltaSeconds(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(s, 10, 32) // the largest where it is larger
	return time.Duration(n) * time.Second, true
}

func first(list string) string {
	before, _, _ := strings.Cut(list, ",")
	return before
}

// directives yields the members of a Cache-Control header in order, names in
// lower case and values without quotes.
func directives(lines []string) func(yield func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		for _, line := range lines {
			for line != "" {
				var member string
				member, line = cutMember(line)
				name, value, _ := strings.Cut(member, "=")
				name = strings.ToLower(strings.TrimSpace(name))
				value = strings.Trim(strings.TrimSpace(value), `"`)
				if name != "" && !yield(name, value) {
					return
				}
			}
		}
	}
}

// cutMember splits s at its first comma outside quotes.
func cutMember(s string) (member, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
