package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

// serveEmbedded serves the story's world until ctx ends.
func serveEmbedded(ctx context.Context, opts options, out io.Writer, logger *slog.Logger) error {
	w, err := startWorld(ctx, opts, logger)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "provider  %s\n", w.provider.Issuer())
	fmt.Fprintf(out, "database  %s\n\n", w.server.url)
	fmt.Fprintln(out, "A service that may write gets its token by client credentials:")
	fmt.Fprintf(out, "\n  TOKEN=$(%s)\n\n", tokenCommand(w.provider, "importer"))
	printCalls(out, w.server.url)
	fmt.Fprintln(out, "The services reporter (no role to write), accountant (another audience) and")
	fmt.Fprintf(out, "probe (tokens that live %v) get theirs the same way. Ctrl-C ends it.\n", opts.life)
	<-ctx.Done()
	return w.stop()
}

// serveIssuer serves people and services of a provider elsewhere until ctx ends.
func serveIssuer(ctx context.Context, opts options, out io.Writer, logger *slog.Logger) error {
	listener, _, err := listen(opts.addr)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, serverConfig{
		listener: listener,
		issuers: []oidcauth.Issuer{{
			URL:       opts.issuer,
			Audiences: []string{opts.audience},
			// Access tokens say so in their type at some providers, and not at others.
			TokenTypes: []string{"JWT", "at+jwt"},
			Keys:       oidcauth.KeysFrom{InsecureHTTP: strings.HasPrefix(opts.issuer, "http://")},
		}},
		admit:  oidcauth.All(oidcauth.HasIssuer(opts.issuer), oidcauth.HasAudience(opts.audience)),
		logger: logger,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "database  %s\n", s.url)
	if err := s.auth.Ready(ctx); errors.Is(err, oidcauth.ErrKeysUnavailable) {
		fmt.Fprintf(out, "note      %v\n", err)
		fmt.Fprintln(out, "          The server is up and answers 503 until they can be had.")
	}
	fmt.Fprintf(out, "\nPut a token of %s for %q into TOKEN, then:\n\n", opts.issuer, opts.audience)
	printCalls(out, s.url)
	fmt.Fprintln(out, `Writing takes the role "writer", in the claim "roles". Ctrl-C ends it.`)
	<-ctx.Done()
	return s.stop()
}

// tokenCommand is a shell command that prints a token and needs nothing but
// curl and sed.
func tokenCommand(p *provider.Provider, clientID string) string {
	return fmt.Sprintf(`curl -s -u %s:%s -d grant_type=client_credentials %s | sed 's/.*"access_token":"\([^"]*\)".*/\1/'`,
		clientID, demoSecret, p.TokenURL())
}

// printCalls prints commands that call the database. The token goes to curl
// through a pipe: arguments can be seen by every user of the machine.
func printCalls(out io.Writer, url string) {
	fmt.Fprintf(out, "  bearer() { printf 'Authorization: Bearer %%s\\n' \"$TOKEN\"; }\n")
	for _, line := range []string{
		`bearer | curl -i -H @- -d '{"text":"hello"}' %s/v1/call/send_message`,
		`bearer | curl -i -H @- %s/v1/view/my_messages`,
		`bearer | curl -i -H @- -X POST %s/v1/run/export_messages`,
		`bearer | curl -i -H @- -X POST %s/v1/call/delete_all`,
		`curl -i %s/v1/view/board`,
		`curl -i -d '{"text":"hello"}' %s/v1/call/send_message`,
	} {
		fmt.Fprintf(out, "  "+line+"\n", url)
	}
	fmt.Fprintln(out)
}
