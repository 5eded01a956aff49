package oidcauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// A browser proves what it has when it buys a ticket, which only its page can use; the
// session that it opens is as bound as the token.
func TestTicket_OfBoundToken(t *testing.T) {
	t.Parallel()
	const page = "https://app.example.com"
	local := newLocal(t, localissuer.Config{})
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Issuers = append(cfg.Issuers, local.Issuer()) })
	token := w.token()
	ctx := possession.NewContext(t.Context(), possession.Proof{DPoP: w.proof(token), Method: "POST", URL: callURL})
	claims, err := w.auth.Authenticate(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Ticket(from(), claims, "chat"); !errors.Is(err, oidcauth.ErrOrigin) {
		t.Errorf("Ticket() error = %v without Origin, want %v", err, oidcauth.ErrOrigin)
	}
	if _, err := local.Ticket(from(page), oidcauth.Unproved(claims), "chat"); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Ticket() error = %v without proof, want %v", err, oidcauth.ErrProof)
	}
	if _, err := local.Ticket(from(), authenticate(t, w.auth, w.issuer.Token(nil)), "chat"); err != nil {
		t.Errorf("Ticket() error = %v for a program's bearer token", err)
	}
	ticket, err := local.Ticket(from(page), claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	socket := func(origin string) *http.Request {
		r := httptest.NewRequest("GET", "/v1/subscribe", nil)
		r.Header.Set("Origin", origin)
		return r
	}
	if _, err := w.auth.AuthenticateTicket(socket("https://evil.example.com"), ticket, "chat"); !errors.Is(err, oidcauth.ErrOrigin) {
		t.Errorf("AuthenticateTicket() error = %v for another page, want %v", err, oidcauth.ErrOrigin)
	}
	used, err := w.auth.AuthenticateTicket(socket(page), ticket, "chat")
	if err != nil {
		t.Fatal(err)
	}
	r := socket(page)
	s := w.auth.NewSession(r.Context(), used)
	defer s.Close()
	next := w.token()
	proof := func(by *oidctest.Prover) possession.Proof {
		return possession.Proof{Method: "GET", URL: socketURL, DPoP: by.Proof("GET", socketURL, next, map[string]any{"nonce": s.Nonce()})}
	}
	if _, err := s.Renew(possession.NewContext(t.Context(), proof(oidctest.NewProver(t, ""))), next); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Renew() error = %v by another key, want %v", err, oidcauth.ErrProof)
	}
	if _, err := s.Renew(t.Context(), w.issuer.Token(nil)); !errors.Is(err, oidcauth.ErrProof) {
		t.Errorf("Renew() error = %v for a bearer token, want %v", err, oidcauth.ErrProof)
	}
	whole := proof(w.client)
	whole.Method, whole.URL = "", "" // that of the request with the ticket
	if _, err := s.Renew(possession.NewContext(t.Context(), whole), next); err != nil {
		t.Errorf("Renew() error = %v", err)
	}
}

// A server that proves nothing any more takes no tickets of bound tokens either.
func TestTicket_OfBoundTokenElsewhere(t *testing.T) {
	t.Parallel()
	const page = "https://app.example.com"
	local := newLocal(t, localissuer.Config{})
	w := newBoundWorld(t, dpop.Config{}, func(cfg *oidcauth.Config) { cfg.Issuers = append(cfg.Issuers, local.Issuer()) })
	_, trusted := w.issuer, oidcauth.Issuer{URL: w.issuer.URL(), Audiences: []string{testAudience}}
	plain := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: w.issuer.Client()})
	token := w.token()
	ctx := possession.NewContext(t.Context(), possession.Proof{DPoP: w.proof(token), Method: "POST", URL: callURL})
	claims, err := w.auth.Authenticate(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := local.Ticket(from(page), claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.AuthenticateTicket(from(page), ticket, "chat"); !errors.Is(err, oidcauth.ErrTokenType) {
		t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrTokenType)
	}
	if _, err := w.auth.AuthenticateTicket(from(page), ticket, "chat"); err != nil {
		t.Errorf("AuthenticateTicket() error = %v where it was bought", err)
	}
}
