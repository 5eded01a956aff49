package benchmarks_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// TestOutage shows every library that fetches keys a good token, by a key it
// has, at a time when its keys are two hours old and the issuer is in
// trouble. The clock is synctest's, so the waits are exact. What the peers do
// is recorded as attributes of the test, not judged.
func TestOutage(t *testing.T) {
	outages := []struct {
		name      string
		behaviour idp.Behaviour
	}{
		{"healthy", idp.Behaviour{}},
		{"hangs", idp.Behaviour{Delay: 5 * time.Second}},
		{"fails", idp.Behaviour{Status: http.StatusInternalServerError}},
		{"empty", idp.Behaviour{Empty: true}},
	}
	for _, p := range peers.All() {
		if !p.RemoteKeys {
			continue
		}
		for _, outage := range outages {
			t.Run(p.Name+"/"+outage.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { endure(t, p, outage.behaviour) })
			})
		}
	}
}

// endure shows a token as the outage begins to be felt, and another a minute
// later.
func endure(t *testing.T, p peers.Peer, behaviour idp.Behaviour) {
	issuer, err := idp.Offline()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	v, err := p.Open(ctx, peers.Setup{Issuer: issuer, NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var user peers.User
	if err := v.Authenticate(ctx, issuer.Token(idp.RS256, 0), &user); err != nil {
		t.Fatalf("a good token in peace: %v", err)
	}
	time.Sleep(5 * time.Minute)
	issuer.Behave(behaviour)
	time.Sleep(2 * time.Hour)

	accepted, slowest := 0, time.Duration(0)
	for n := range 2 {
		shown := time.Now()
		if v.Authenticate(ctx, issuer.Token(idp.RS256, n), &user) == nil {
			accepted++
		}
		slowest = max(slowest, time.Since(shown))
		time.Sleep(time.Minute)
	}
	t.Attr("accepted", fmt.Sprintf("%d of 2", accepted))
	t.Attr("slowest", slowest.String())
	if p.KeepsTokens && (accepted != 2 || slowest >= time.Millisecond) {
		t.Errorf("accepted %d of 2, the slowest in %v, want both within 1ms", accepted, slowest)
	}
}
