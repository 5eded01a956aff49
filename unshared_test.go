package oidcauth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// withFlakyLog runs a test of two servers that share a log, which takes nothing
// yet.
func withFlakyLog(t *testing.T, test func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator)) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log, lines := newMemoryLog(), new(logBuffer)
		log.RefuseAll()
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log}
		b := newAuthenticator(t, cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(lines, nil))
		a := newAuthenticator(t, cfg)
		synctest.Wait()
		test(t, issuer, log, lines, a, b)
		a.Close()
		b.Close()
	})
}

// revokeAlone revokes while the log takes nothing.
func revokeAlone(t *testing.T, a *oidcauth.Authenticator, r oidcauth.Revocation) {
	t.Helper()
	if err := a.Revoke(t.Context(), r); !errors.Is(err, errLogDown) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
		t.Fatalf("Revoke() error = %v, want %v", err, errLogDown)
	}
}

// What the log did not take holds here at once and everywhere when it does.
func TestRevoke_SharedLater(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator) {
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix(), "jti": "token-1"})
		s := b.NewSession(t.Context(), wants(t, b, token, nil))
		for range 3 {
			revokeAlone(t, a, oidcauth.Revocation{TokenID: "token-1", Until: time.Now().Add(48 * time.Hour).Truncate(24 * time.Hour)})
		}
		wants(t, a, token, oidcauth.ErrRevoked)
		time.Sleep(time.Hour)
		wants(t, b, token, nil)
		if _, attempts, _ := log.Counts(); attempts < 40 || attempts > 140 {
			t.Errorf("%d attempts in an hour, want about one a minute", attempts)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		expectEnd(t, s, oidcauth.ErrRevoked)
		wants(t, b, token, oidcauth.ErrRevoked)
		entries, attempts, _ := log.Counts()
		time.Sleep(time.Hour)
		if _, now, _ := log.Counts(); entries != 1 || now != attempts {
			t.Errorf("%d entries, %d attempts since, want 1 and none", entries, now-attempts)
		}
		for text, want := range map[string]int{"revocations wait to be shared": 1, "waits to be shared any longer": 1} {
			if got := strings.Count(lines.String(), text); got != want {
				t.Errorf("%d lines %q, want %d:\n%s", got, text, want, lines)
			}
		}
	})
}

// When contact with the log is back, what waits goes out without delay.
func TestRevoke_SharedOnContact(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "token-1"})
		time.Sleep(time.Hour)
		log.SetDown(true)
		synctest.Wait()
		log.SetDown(false)
		log.RefuseNone()
		_, before, _ := log.Counts()
		for strings.Count(lines.String(), "caught up") < 2 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if entries, attempts, _ := log.Counts(); entries != 1 || attempts != before+1 {
			t.Errorf("contact is back: %d entries, %d attempts, want one of each", entries, attempts-before)
		}
	})
}

// One that the log never takes does not hold up the others.
func TestRevoke_OneIsNeverShared(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "never"})
		for n := range 20 {
			revokeAlone(t, a, oidcauth.Revocation{TokenID: fmt.Sprint(n)})
		}
		log.Refuse(func(r oidcauth.Revocation) bool { return r.TokenID == "never" })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 20 {
			t.Errorf("%d revocations are shared, want 20", got)
		}
	})
}

// What is over is not shared any more.
func TestRevoke_OverBeforeShared(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Hour)})
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "long", Until: time.Now().Add(3 * time.Hour)})
		time.Sleep(2 * time.Hour)
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if entries := log.Entries(); len(entries) != 1 || entries[0].TokenID != "long" {
			t.Errorf("the log has %v, want the long one alone", entries)
		}
	})
}

// A logout is shared later too, and its token works once more for an issuer that
// was told of the failure.
func TestLogout_SharedLater(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		logout := logoutToken(issuer, nil)
		if resp := postLogout(a, logout); resp.StatusCode != 503 {
			t.Fatalf("got status %d, want 503", resp.StatusCode)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 1 {
			t.Errorf("%d revocations are shared, want that of the logout alone", got)
		}
		if resp := postLogout(a, logout); resp.StatusCode != 200 {
			t.Errorf("the issuer's second try: got status %d, want 200", resp.StatusCode)
		}
		if resp := postLogout(b, logout); resp.StatusCode != 400 {
			t.Errorf("a third: got status %d, want 400", resp.StatusCode)
		}
	})
}

// A log that is certain not to have stored it may do so later all the same, and
// the caller learns what it said.
func TestRevoke_NotStored(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		log.FailWith(fmt.Errorf("%w: full", oidcauth.ErrNotStored))
		err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "token-1"})
		if !errors.Is(err, oidcauth.ErrNotStored) || !errors.Is(err, oidcauth.ErrRevocationWaits) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			t.Errorf("Revoke() error = %v, want %v and %v", err, oidcauth.ErrNotStored, oidcauth.ErrRevocationWaits)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 1 {
			t.Errorf("%d revocations are shared, want 1", got)
		}
	})
}

// What is over before the log took it is given up, and nobody is told that it was
// shared.
func TestRevoke_OverIsSaid(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, _ *memoryLog, lines *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Hour)})
		time.Sleep(2 * time.Hour)
		for text, want := range map[string]int{"ended before they were shared": 1, "waits to be shared any longer": 0} {
			if got := strings.Count(lines.String(), text); got != want {
				t.Errorf("%d lines %q, want %d:\n%s", got, text, want, lines)
			}
		}
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v once nothing waits", err)
		}
	})
}

// How many may wait is bounded, and whoever comes after that is told.
func TestRevoke_TooManyToShare(t *testing.T) {
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator) {
		const capacity = 10_000
		for n := range capacity {
			err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: fmt.Sprint(n)})
			if err == nil || strings.Contains(err.Error(), "too many") {
				t.Fatalf("Revoke() error = %v for revocation %d", err, n)
			}
		}
		err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "one more"})
		if !errors.Is(err, errLogDown) || !strings.Contains(err.Error(), "too many") {
			t.Errorf("Revoke() error = %v, want that too many wait", err)
		}
		began := time.Now()
		a.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close() took %v", took)
		}
		if !strings.Contains(lines.String(), "revocations=10000") {
			t.Errorf("Close() does not say how many were not shared:\n%s", lines)
		}
		if b.RevocationCount() != 0 {
			t.Error("the other server knows of what was not shared")
		}
	})
}
