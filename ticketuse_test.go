package oidcauth_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A used ticket stays used when the clock is set back, however long ago it was
// used and however many were used since, and new tickets are good.
func TestTicket_ClockSetBack(t *testing.T) {
	for _, tt := range []struct {
		name          string
		ahead, really time.Duration // what the clock was set ahead, and what passed, before it was set back
	}{
		{"at once", 0, 0},
		{"after an hour that did not pass", time.Hour, 0},
		{"after two minutes", 0, 2 * time.Minute},
		{"after an hour", 0, time.Hour},
		{"after a minute, of which the clock made a day", 24 * time.Hour, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := new(setClock)
				dir := filepath.Join(t.TempDir(), "keys")
				process := func() (*localissuer.Issuer, *oidcauth.Authenticator) {
					local := newLocal(t, localissuer.Config{Dir: dir, NoExpiry: true, Now: clock.now})
					return local, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Now: clock.now})
				}
				local, auth := process()
				other, _ := process()
				claims := authenticate(t, auth, issue(t, local, localissuer.Request{NoExpiry: true}))
				buy := func(l *localissuer.Issuer) string {
					t.Helper()
					ticket, err := l.Ticket(from(), claims, "chat")
					if err != nil {
						t.Fatal(err)
					}
					return ticket
				}
				use := func(ticket string) error {
					_, err := auth.AuthenticateTicket(from(), ticket, "chat")
					return err
				}
				own, foreign := buy(local), buy(other)
				for _, ticket := range []string{own, foreign} {
					if err := use(ticket); err != nil {
						t.Fatalf("AuthenticateTicket() error = %v", err)
					}
				}
				clock.set(tt.ahead)
				time.Sleep(tt.really)
				for range 3 { // which makes place
					if err := use(buy(local)); err != nil {
						t.Fatalf("AuthenticateTicket() error = %v", err)
					}
					time.Sleep(time.Second)
				}
				clock.set(-tt.really)
				for name, ticket := range map[string]string{"its own": own, "another process's": foreign} {
					err := use(ticket)
					if !errors.Is(err, oidcauth.ErrTicketUsed) && !errors.Is(err, oidcauth.ErrExpired) && !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
						t.Errorf("%s, for the second time: AuthenticateTicket() error = %v, want a refusal", name, err)
					}
				}
				if err := use(buy(local)); err != nil {
					t.Errorf("a new one: AuthenticateTicket() error = %v", err)
				}
			})
		})
	}
}

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
