// Package signin is the client's side of signing a person in: the authorization
// code flow with PKCE of an installed app, as RFC 8252 describes it, with
// golang.org/x/oauth2 and go-oidc, and a [Browser] that plays the person.
package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Flow says which app asks whom. It holds no state; Run may be called often.
type Flow struct {
	// Issuer is the provider's URL.
	Issuer string
	// ClientID is the app's; it keeps no secret and uses PKCE.
	ClientID string
	// Scopes are asked for beside "openid"; "offline_access" asks for a refresh
	// token.
	Scopes []string
}

// Tokens are what the app has after the flow.
type Tokens struct {
	// IDToken says who signed in. It has been verified.
	IDToken string
	// Subject is the ID token's.
	Subject string
	// OAuth holds the access token and, if asked for, the refresh token.
	OAuth *oauth2.Token
	// Config and OAuth together refresh: Config.TokenSource(ctx, OAuth).
	Config *oauth2.Config
}

// Run signs a person in: it listens on loopback for the answer, lets browser
// open the provider's page, and exchanges the code that comes back.
func (f Flow) Run(ctx context.Context, browser *Browser) (*Tokens, error) {
	provider, err := oidc.NewProvider(ctx, f.Issuer)
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	answers, err := listenForAnswer()
	if err != nil {
		return nil, err
	}
	defer answers.close()

	config := &oauth2.Config{
		ClientID:    f.ClientID,
		Endpoint:    provider.Endpoint(),
		RedirectURL: answers.url,
		Scopes:      append([]string{oidc.ScopeOpenID}, f.Scopes...),
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	address := config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	if err := browser.Open(ctx, address); err != nil {
		return nil, err
	}
	code, err := answers.wait(ctx, state)
	if err != nil {
		return nil, err
	}
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("signin: exchange of the code: %w", err)
	}
	return verify(ctx, provider, config, token, nonce)
}

// verify checks the ID token as a client must: it is for this client, and it
// answers this flow.
func verify(ctx context.Context, provider *oidc.Provider, config *oauth2.Config, token *oauth2.Token, nonce string) (*Tokens, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("signin: no ID token in the provider's answer")
	}
	idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("signin: ID token: %w", err)
	}
	if idToken.Nonce != nonce {
		return nil, errors.New("signin: ID token answers another flow: its nonce is not the one sent")
	}
	return &Tokens{IDToken: raw, Subject: idToken.Subject, OAuth: token, Config: config}, nil
}

// answer is what the provider sends back through the browser.
type answer struct{ code, state, problem string }

// answerListener is the app's side of the redirect.
type answerListener struct {
	url     string
	server  *http.Server
	answers chan answer
}

func listenForAnswer() (*answerListener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("signin: %w", err)
	}
	l := &answerListener{
		url:     "http://" + listener.Addr().String() + "/callback",
		answers: make(chan answer, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", l.receive)
	l.server = &http.Server{Handler: mux, ReadTimeout: 5 * time.Second}
	go func() {
		// It ends by close; before that, a failure is a wait that ends with its ctx.
		_ = l.server.Serve(listener)
	}()
	return l, nil
}

func (l *answerListener) receive(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	got := answer{code: query.Get("code"), state: query.Get("state"), problem: query.Get("error")}
	select {
	case l.answers <- got:
		fmt.Fprintln(w, "signed in; this window may be closed")
	default:
		http.Error(w, "already answered", http.StatusConflict)
	}
}

func (l *answerListener) wait(ctx context.Context, state string) (code string, err error) {
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("signin: no answer from the provider: %w", context.Cause(ctx))
	case got := <-l.answers:
		switch {
		case got.state != state:
			return "", errors.New("signin: answer to another flow: its state is not the one sent")
		case got.problem != "":
			return "", fmt.Errorf("signin: refused by the provider: %q", got.problem)
		}
		return got.code, nil
	}
}

func (l *answerListener) close() { l.server.Close() }
