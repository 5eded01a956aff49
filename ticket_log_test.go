package oidcauth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An untilLog notes until when used tickets are shared.
type untilLog struct {
	oidcauth.RevocationLog
	until []time.Time
}

func (l *untilLog) FirstUse(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	l.until = append(l.until, until)
	return l.RevocationLog.FirstUse(ctx, id, until)
}

// A used ticket is remembered in the cluster until no server can take it, the
// clock of one being as much behind as leeways permit and the log's as much ahead.
func TestTicket_SharedUntil(t *testing.T) {
	t.Parallel()
	log := &untilLog{RevocationLog: newMemoryLog()}
	local := newLocal(t, localissuer.Config{})
	auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Revocations: log})
	claims := authenticate(t, auth, issue(t, local, localissuer.Request{}))
	ticket, err := local.Ticket(from(), claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); err != nil {
		t.Fatal(err)
	}
	if len(log.until) != 1 || log.until[0].Before(before.Add(10*time.Minute)) {
		t.Fatalf("shared until %v, want one entry and 10 minutes at least after %v", log.until, before)
	}
	// The ledger of the process is asked first: the log hears of it once.
	if _, err := auth.AuthenticateTicket(from(), ticket, "chat"); !errors.Is(err, oidcauth.ErrTicketUsed) || len(log.until) != 1 {
		t.Errorf("AuthenticateTicket() error = %v after %d entries, want %v after one", err, len(log.until), oidcauth.ErrTicketUsed)
	}
}

// A ticket is used once in the whole cluster.
func TestTicket_SingleUseInCluster(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	key := newKey(t)
	log := newMemoryLog()
	var servers [2]*oidcauth.Authenticator
	var locals [2]*localissuer.Issuer
	for i := range servers {
		locals[i] = newLocal(t, localissuer.Config{Signer: key})
		servers[i] = newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, locals[i].Issuer()}, Client: issuer.Client(), Revocations: log,
		})
	}
	claims, err := servers[0].Authenticate(t.Context(), issuer.Token(nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ticket, err := locals[0].Ticket(from(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		usedOnce(t, ticket, servers[:])
	}
}

// While the cluster's log takes nothing, nobody knows whether a ticket was used: it is
// refused, not used up, and good again once the log is there. Then it is good once.
func TestTicket_LogDown(t *testing.T) {
	t.Parallel()
	log := newMemoryLog()
	local := newLocal(t, localissuer.Config{})
	auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Revocations: log})
	claims := authenticate(t, auth, issue(t, local, localissuer.Request{}))
	ticket, err := local.Ticket(from(), claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		down bool
		want error
	}{
		{"while the log is down", true, oidcauth.ErrRevocationsUnavailable},
		{"while it still is", true, oidcauth.ErrRevocationsUnavailable},
		{"once it is up", false, nil},
		{"for the second time", false, oidcauth.ErrTicketUsed},
		{"and again with the log down", true, oidcauth.ErrTicketUsed},
	} {
		log.SetDown(tt.down)
		got, err := auth.AuthenticateTicket(from(), ticket, "chat")
		if !errors.Is(err, tt.want) || (err == nil) != (got != nil) {
			t.Errorf("%s: AuthenticateTicket() = %v, %v, want error %v", tt.name, got, err, tt.want)
		}
	}
}
