package main

import (
	"net/http"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// forwardAuth says to a proxy that a request is authenticated, and whose it is.
func forwardAuth(w http.ResponseWriter, _ *http.Request, claims *oidcauth.Claims) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Auth-Identity", claims.Identity().String())
	header.Set("X-Auth-Issuer", headerText(claims.Issuer()))
	header.Set("X-Auth-Subject", headerText(claims.Subject()))
	w.WriteHeader(http.StatusOK)
}

// headerText makes a value that an issuer chose safe to stand in a header:
// visible ASCII except "%" stays as it is, every other byte, spaces too,
// becomes "%" and two hexadecimal digits. Different values stay different, and
// decoding a URL's path segment gives the value back.
func headerText(value string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(value) {
		if c := value[i]; c > ' ' && c < 0x7f && c != '%' {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}

// badRequestAs401 turns the status 400 of a malformed request into 401,
// which every proxy takes for a refusal; nginx would answer 500 to the client
// and log an error of the server. The challenge still says invalid_request.
func badRequestAs401(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(unauthorizedWriter{w}, r)
	})
}

type unauthorizedWriter struct{ http.ResponseWriter }

func (w unauthorizedWriter) WriteHeader(status int) {
	if status == http.StatusBadRequest {
		status = http.StatusUnauthorized
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w unauthorizedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
