// Package reply has what is told about a request that is refused: the attributes of the
// log line, and an answer whose status a program's own text cannot turn into a grant.
package reply

import (
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// Attrs describes the request in a log line: "method"; "path", without the query, which
// may hold a token; "client", the address it came from; and "request_id", the header
// X-Request-Id, whoever wrote it. What is not known is left out, and whatever the caller
// chose is made fit for one line.
func Attrs(r *http.Request, client netip.Addr) []slog.Attr {
	attrs := []slog.Attr{slog.String("method", plain(r.Method))}
	if r.URL != nil {
		attrs = append(attrs, slog.String("path", plain(r.URL.Path)))
	}
	if client.IsValid() {
		attrs = append(attrs, slog.String("client", client.String()))
	}
	if id := r.Header["X-Request-Id"]; len(id) == 1 && id[0] != "" {
		attrs = append(attrs, slog.String("request_id", plain(id[0])))
	}
	return attrs
}

// tokenLike is what looks like a JWT, or the beginning of one: "ey" is the base64url form
// of a brace before a quote or a space, the others of one before an end of line or a tab.
var tokenLike = regexp.MustCompile(`(?:ey|ewo|ew0|ewk)[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)+`)

// searched is how much of a text is looked through, and told the length of: of gRPC's metadata
// one may have megabytes, which take a second, and a line tells how it begins alone.
const searched = 16 << 10

// plain makes what the caller chose fit for a line, without a token that they put there
// although nobody looks for one.
func plain(text string) string {
	text = text[:min(len(text), searched)]
	return quote.Plain(tokenLike.ReplaceAllString(text, "(token not shown)"))
}

// Bearer describes whose token a request came with, where that is known.
func Bearer(issuer, subject string) (attrs []slog.Attr) {
	if issuer != "" {
		attrs = append(attrs, slog.String("issuer", quote.Plain(issuer)))
	}
	if subject != "" {
		attrs = append(attrs, slog.String("subject", quote.Plain(subject)))
	}
	return attrs
}
