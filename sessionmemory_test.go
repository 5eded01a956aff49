package oidcauth_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A session takes less than 1 KiB beside its claims, which the cache shares.
func TestSession_Memory(t *testing.T) {
	const many, limit = 2000, 1 << 10
	issuer, trusted := newIssuer(t, oidctest.Config{})
	auth := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	claims := make([]*oidcauth.Claims, many)
	for i := range claims {
		claims[i] = authenticate(t, auth, issuer.Token(map[string]any{
			"sub": fmt.Sprintf("user-%d", i), "jti": fmt.Sprintf("token-%d", i), "sid": "login",
		}))
	}
	sessions := make([]*oidcauth.Session, many)
	before := heapInUse()
	for i, c := range claims {
		sessions[i] = auth.NewSession(t.Context(), c)
		sessions[i].Context().Done() // what waits for the end makes a channel
	}
	got := (int64(heapInUse()) - int64(before)) / many
	if got <= 0 || got > limit {
		t.Errorf("%d bytes for each session, want at most %d", got, limit)
	}
	t.Logf("%d bytes for each session", got)
	runtime.KeepAlive(sessions)
}
