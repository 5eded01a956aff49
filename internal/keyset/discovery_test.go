package keyset_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
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
	bubble(t, "is read again with the first fetch a day later", func(t *testing.T) {
		for early, want := range map[time.Duration]int{1: 1, 0: 2} {
			i := newIssuer(key("a", 0))
			s := start(t, discovering(t, i))
			mustKeys(t, s, "a")
			time.Sleep(24*time.Hour - early)
			mustKeys(t, s, "a")
			synctest.Wait()
			if got := i.discoveries(); got != want || i.count() != 3 {
				t.Errorf("%v before the day is over, %d discovery documents and %d key sets read, want %d and 3", early, got, i.count(), want)
			}
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

// A document that may be old is read once for a fetch, and the keys are fetched once more
// only from another place.
func TestDiscovery_Doubt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		change      func(*issuer)
		discoveries int // since
		fetches     int
	}{
		{"the key that is asked for is there", func(i *issuer) { i.body = jwks(key("b", 1)) }, 0, 1},
		{"it is not, and the document names the same place", func(*issuer) {}, 1, 1},
		{"it is not, and there is no document", func(i *issuer) { i.discovery = 500 }, 1, 1},
		{"it is not, and the document names another", func(i *issuer) { i.jwksURL, i.keepsOld = issuerURL+"/v2", true }, 1, 2},
		{"no keys: gone", func(i *issuer) { i.status = 410 }, 1, 1},
		{"no keys: not found", func(i *issuer) { i.status = 404 }, 1, 1},
		{"no keys: forbidden", func(i *issuer) { i.status = 403 }, 0, 1},
		{"no keys: broken", func(i *issuer) { i.status = 500 }, 0, 1},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, discovering(t, i))
			mustKeys(t, s, "a")
			time.Sleep(2 * time.Hour)
			i.set(tt.change)
			discoveries, fetches := i.discoveries(), i.count()
			_, _ = s.Keys(t.Context(), jws.Named("b"))
			if d, f := i.discoveries()-discoveries, i.count()-fetches; d != tt.discoveries || f != tt.fetches {
				t.Errorf("%d documents and %d key sets read, want %d and %d", d, f, tt.discoveries, tt.fetches)
			}
		})
	}
	bubble(t, "the keys are not there, and the document is new", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, discovering(t, i))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.status = 403 })
		_, err := s.Keys(t.Context(), jws.Named("b"))
		if unavailable(t, err); i.discoveries() != 1 {
			t.Errorf("discovery documents read = %d, want 1", i.discoveries())
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
		if e := j.told().events[len(j.told().events)-1]; e.Err != nil || e.DiscoveryErr == nil {
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
