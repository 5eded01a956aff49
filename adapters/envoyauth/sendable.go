package envoyauth

import (
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// sendable returns a text that the program wrote as gRPC takes it: with other bytes than UTF-8
// in it the answer could not be sent, and Envoy would say that nobody answers.
func sendable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// sendableHeaders returns the headers that the program wrote as net/http would send them:
// without those whose name is none, or that have no value, and with spaces for line ends. Each
// is there once, as there are versions of Envoy that keep the last alone, but for cookies, of
// which commas make no list (RFC 9110, section 5.3).
func sendableHeaders(written http.Header) (headers []*corev3.HeaderValueOption) {
	for name, values := range written {
		if !isName(name) || len(values) == 0 {
			continue
		}
		if name != "Set-Cookie" {
			values = []string{strings.Join(values, ", ")}
		}
		for _, value := range values {
			headers = append(headers, option(strings.ToLower(name), noLineEnds.Replace(sendable(value))))
		}
	}
	return headers
}

// noLineEnds makes spaces of the line ends in a header's value, as net/http does.
var noLineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// isName reports whether a header can have that name (RFC 9110, section 5.1).
func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
