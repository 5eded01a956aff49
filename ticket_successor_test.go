package oidcauth_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A ticket that was used stays used where its local issuer gives way to another of the
// same name and keys, as in a program that makes all of its configuration anew.
func TestAuthenticateTicket_UsedBeforeTheSuccessor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	open := func() *localissuer.Issuer {
		l, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: dir, Audiences: []string{"my-db"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	trusted := oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{"my-db"}}
	before := open()
	a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, before.Issuer()}, Client: issuer.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ticket, err := before.Ticket(byProgram(), authenticate(t, a, issuer.Token(nil)), "chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.AuthenticateTicket(byProgram(), ticket, "chat"); err != nil {
		t.Fatal(err)
	}
	after := open()
	if err := a.SetIssuers(trusted, after.Issuer()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AuthenticateTicket(byProgram(), ticket, "chat"); !errors.Is(err, oidcauth.ErrTicketUsed) {
		t.Errorf("the second time, error = %v, want %v", err, oidcauth.ErrTicketUsed)
	}
	beside := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, after.Issuer()}, Client: issuer.Client()})
	if _, err := beside.AuthenticateTicket(byProgram(), ticket, "chat"); !errors.Is(err, oidcauth.ErrTicketUsed) {
		t.Errorf("with the successor at another Authenticator, error = %v, want %v", err, oidcauth.ErrTicketUsed)
	}
	if err := a.SetIssuers(trusted); err != nil {
		t.Fatal(err)
	}
	if err := a.SetIssuers(trusted, open().Issuer()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AuthenticateTicket(byProgram(), ticket, "chat"); !errors.Is(err, oidcauth.ErrTicketUsed) {
		t.Errorf("the third time, error = %v, want %v", err, oidcauth.ErrTicketUsed)
	}
}

// A ticket whose use an Authenticator has no place to remember stays good, also with the
// local issuer that had one.
func TestAuthenticateTicket_NoPlace(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	ticket := c.Buy(c.Issuer.Token(nil), anywhere)
	giveBack := c.Auth.FillTickets()
	if _, err := c.Use(ticket, anywhere); !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
		t.Errorf("without a place, error = %v, want %v", err, oidcauth.ErrRevocationsUnavailable)
	}
	giveBack()
	if _, err := c.Use(ticket, anywhere); err != nil {
		t.Errorf("with a place, error = %v", err)
	}
}
