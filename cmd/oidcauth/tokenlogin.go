package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// callbackPath is where the provider sends the browser back to.
const callbackPath = "/callback"

// login gets a token for a person with a browser on this machine: the
// authorization code flow with PKCE (RFC 8252, section 7.3).
func (c *tokenClient) login(ctx context.Context, std streams) (*oauth2.Token, error) {
	if c.endpoint.AuthURL == "" {
		return nil, errors.New("the provider has no authorization endpoint")
	}
	listeners, err := listenLoopback(c.listen)
	if err != nil {
		return nil, err
	}
	defer closeAll(listeners)
	config := c.config(callbackAddress(c.listen, listeners[0].Addr()))
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	address := config.AuthCodeURL(state, append(c.options(),
		oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonce))...)
	fmt.Fprintf(std.err, "Open this address in a browser on this machine:\n  %s\n", printable(address))

	ctx, cancel := context.WithTimeoutCause(ctx, loginTimeout, fmt.Errorf("nobody signed in within %v", loginTimeout))
	defer cancel()
	code, err := c.awaitCode(ctx, listeners, state)
	if err != nil {
		return nil, err
	}
	c.sent = append(c.sent, verifier, code)
	options := append(c.options(), oauth2.VerifierOption(verifier))
	parameters, err := c.assertionParameters()
	if err != nil {
		return nil, err
	}
	for name := range parameters {
		options = append(options, oauth2.SetAuthURLParam(name, parameters.Get(name)))
	}
	token, err := config.Exchange(ctx, code, options...)
	if err != nil {
		return nil, err
	}
	return c.verified(ctx, token, nonce)
}

// callback is what a browser brought back.
type callback struct {
	code string
	err  error
}

// awaitCode serves the browser's way back until it brings a code or a refusal
// for this login, or ctx ends.
func (c *tokenClient) awaitCode(ctx context.Context, listeners []net.Listener, state string) (string, error) {
	found := make(chan callback, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		c.receive(w, r, state, found)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { failed <- server.Serve(listener) }() // ends with Shutdown or Close
	}
	defer server.Close()
	select {
	case got := <-found:
		// The page is on its way to the browser yet.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		server.Shutdown(ctx)
		return got.code, got.err
	case err := <-failed:
		return "", err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// receive takes what the browser brings. What is not for this login is turned
// away and ends nothing: any page could send the browser here.
func (c *tokenClient) receive(w http.ResponseWriter, r *http.Request, state string, found chan<- callback) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "This is not the answer to the login that is under way.\n")
		return
	}
	got := c.outcome(query)
	if got.err == nil {
		io.WriteString(w, "Signed in. This page can be closed.\n")
	} else {
		io.WriteString(w, "Not signed in. The terminal says why.\n")
	}
	select {
	case found <- got:
	default: // the first one counts
	}
}

// outcome reads a callback with the right state.
func (c *tokenClient) outcome(query url.Values) callback {
	// RFC 9207: another provider's answer must not be taken for this one's.
	issuer, sent := query.Get("iss"), query.Has("iss")
	switch {
	case (sent || c.metadata.SendsIssuer) && issuer != c.issuer:
		return callback{err: fmt.Errorf("the answer is of issuer %s, want %q", quoteArgument(issuer), c.issuer)}
	case query.Has("error"):
		return callback{err: fmt.Errorf("the provider refuses: %s: %s",
			quoteArgument(query.Get("error")), quoteArgument(query.Get("error_description")))}
	case query.Get("code") == "":
		return callback{err: errors.New("the provider's answer has no code")}
	}
	return callback{code: query.Get("code")}
}
