package keyset_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// discovering returns a configuration without the JWKS URL.
func discovering(t *testing.T, i *issuer) keyset.Config {
	t.Helper()
	cfg := i.config(t)
	cfg.JWKSURL = ""
	return cfg
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	const newURL = issuerURL + "/v2/jwks"
	bubble(t, "is read once a day", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := startHeld(t, discovering(t, i))
		mustKeys(t, s, "a")
		if r := s.Report(); r.JWKSURL != jwksURL || r.DiscoveryURL != discoveryURL {
			t.Errorf("Report() URLs = %q, %q", r.JWKSURL, r.DiscoveryURL)
		}
		time.Sleep(71 * time.Hour)
		if i.discoveries() != 3 {
			t.Errorf("discovery documents read = %d, want 3", i.discoveries())
		}
		if i.count() < 71 {
			t.Errorf("key sets fetched = %d, want one an hour", i.count())
		}
	})
	bubble(t, "is read again when there are no keys at the URL any more", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := startHeld(t, discovering(t, i))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.jwksURL, i.body = newURL, jwks(key("b", 1)) })
		mustKeys(t, s, "b")
		if r := s.Report(); r.JWKSURL != newURL {
			t.Errorf("JWKSURL = %q, want the new one", r.JWKSURL)
		}
	})
	bubble(t, "is read again when an old document's keys lack one that is asked for", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, discovering(t, i))
		mustKeys(t, s, "a")
		refused(t, s, "b", keyset.ErrUnknownKey)
		if i.discoveries() != 1 {
			t.Errorf("discovery documents read = %d, want 1", i.discoveries())
		}
		time.Sleep(2 * time.Hour)
		i.set(func(i *issuer) { i.jwksURL, i.keepsOld = newURL, true })
		refused(t, s, "b", keyset.ErrUnknownKey)
		if r := s.Report(); r.JWKSURL != newURL || i.discoveries() != 2 {
			t.Errorf("JWKSURL = %q after %d documents, want the new one after 2", r.JWKSURL, i.discoveries())
		}
	})
}

func TestDiscovery_Failure(t *testing.T) {
	t.Parallel()
	bubble(t, "may fail once a good document was read", func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := discovering(t, i)
		cfg.Hooks = j.hooks()
		s := startHeld(t, cfg)
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.discovery = 500 })
		time.Sleep(60 * time.Hour)
		synctest.Wait()
		if r := s.Report(); r.State != keyset.Fresh {
			t.Errorf("State = %v, want fresh", r.State)
		}
		if e := j.events[len(j.events)-1]; e.Err != nil || e.DiscoveryErr == nil {
			t.Errorf("event = %+v, want a discovery error alone", e)
		}
	})
	bubble(t, "must succeed at first", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.discovery = 500
		s := start(t, discovering(t, i))
		unavailable(t, s.Ready(t.Context()))
		wantCount(t, i, 0)
		i.set(func(i *issuer) { i.discovery = 0 })
		time.Sleep(5 * time.Second)
		mustKeys(t, s, "a")
	})
	bubble(t, "must not lead from https to http", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.jwksURL = "http://issuer.example/jwks"
		s := start(t, discovering(t, i))
		unavailable(t, s.Ready(t.Context()))
		wantCount(t, i, 0)
	})
}
