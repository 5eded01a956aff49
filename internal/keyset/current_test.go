package keyset_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// While a key gives its place to another, whoever asks which that is waits for it: what
// is seen at that moment must end no session.
func TestKey_CurrentMeanwhile(t *testing.T) {
	t.Parallel()
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(jwks(fastKey("a", 0)))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := mustKeys(t, s, "a")[0]
	release := keyset.HoldDiscard(s)
	go func() {
		if err := s.Adopt([]byte(jwks(`{"use":"sig",` + fastKey("a", 0)[1:]))); err != nil {
			t.Error(err)
		}
	}()
	for k.Live(time.Now()) {
		runtime.Gosched()
	}
	got := make(chan *keyset.Key, 1)
	go func() { got <- k.Current("EdDSA", true) }()
	for range 1000 {
		runtime.Gosched() // so that who does not wait is too early
	}
	release()
	if now := <-got; now == nil || now == k {
		t.Errorf("Current() = %p, want another key than %p", now, k)
	}
}

// The key that stands where one stood is it itself, or another that has the same public
// key and may do what it did.
func TestKey_Current(t *testing.T) {
	t.Parallel()
	mine, other := func(jwk string) string { return with(jwk, `{"issuer":"mine"}`) }, func(jwk string) string { return with(jwk, `{"issuer":"other"}`) }
	changed := with(key("a", 0), `{"use":null}`)
	for _, tt := range []struct {
		name      string
		document  string // the next one
		algorithm string
		sameID    bool
		issuers   []string
		tenants   bool // keys belong to one issuer each
		want      bool
	}{
		{"another use", mine(changed), "ES256", true, nil, true, true},
		{"another use, and an issuer that is asked for", mine(changed), "ES256", true, []string{"mine"}, true, true},
		{"another key ID", mine(key("b", 0)), "ES256", true, nil, true, false},
		{"another key ID, which does not matter", mine(key("b", 0)), "ES256", false, nil, true, true},
		{"another public key", mine(key("a", 1)), "ES256", true, nil, true, false},
		{"no key of that algorithm", mine(changed), "ES384", true, nil, true, false},
		{"another issuer", other(key("a", 0)), "ES256", true, nil, true, false},
		{"another issuer, which is asked for", other(key("a", 0)), "ES256", true, []string{"other"}, true, true},
		{"another issuer, one of several", other(key("a", 0)), "ES256", true, []string{"mine", "other"}, true, true},
		{"another issuer than is asked for", other(key("a", 0)), "ES256", true, []string{"mine"}, true, false},
		{"another issuer, which does not matter", other(key("a", 0)), "ES256", true, nil, false, true},
		{"another public key of an issuer that does not matter", other(key("a", 1)), "ES256", true, nil, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := keyset.Config{Issuer: "x", Fixed: []byte(jwks(mine(key("a", 0))))}
			if tt.tenants {
				cfg.AcceptKey = func(string) bool { return true }
			}
			s := start(t, cfg)
			k := mustKeys(t, s, "a")[0]
			if err := s.Adopt([]byte(jwks(tt.document))); err != nil {
				t.Fatal(err)
			}
			if got := k.Current(tt.algorithm, tt.sameID, tt.issuers...); (got != nil) != tt.want || got == k || got != nil && !got.Live(time.Now()) {
				t.Errorf("Current() = %v, want another key: %t", got, tt.want)
			}
		})
	}
}

// A key that is in its set is its own successor, whatever else has its public key, and
// has none when nobody knows which keys there are.
func TestKey_CurrentItself(t *testing.T) {
	t.Parallel()
	s := start(t, keyset.Config{Issuer: "x", Fixed: []byte(jwks(key("a", 0), with(key("a", 0), `{"use":null}`)))})
	for _, k := range mustKeys(t, s, "a") {
		if k.Current("ES256", true) != k || k.Current("none", true) != k {
			t.Errorf("Current() = %p, want %p itself", k.Current("ES256", true), k)
		}
	}
	k := mustKeys(t, s, "a")[0]
	if err := s.Withdraw(errors.New("lost")); err != nil {
		t.Fatal(err)
	}
	if got := k.Current("ES256", true); got != nil {
		t.Errorf("Current() = %p after all keys were withdrawn, want none", got)
	}
	closed := start(t, keyset.Config{Issuer: "x", Fixed: []byte(jwks(key("a", 0)))})
	k = mustKeys(t, closed, "a")[0]
	if closed.Close(); k.Current("ES256", true) != nil {
		t.Error("a key of a closed set has a successor")
	}
}

// A key whose members change in any way that matters is another key.
func TestKey_Same(t *testing.T) {
	t.Parallel()
	plain := with(key("a", 0), `{"key_ops":["verify"]}`)
	for change, same := range map[string]bool{
		`{}`: true, `{"x5t":"x"}`: true,
		`{"key_ops":["verify","sign"]}`: false, `{"key_ops":null}`: false, `{"alg":null}`: false,
		`{"use":null}`: false, `{"kid":"b"}`: false, `{"issuer":"x"}`: false,
	} {
		s := start(t, keyset.Config{Issuer: "x", Fixed: []byte(jwks(plain))})
		k := mustKeys(t, s, "a")[0]
		if err := s.Adopt([]byte(jwks(with(plain, change)))); err != nil {
			t.Fatal(err)
		}
		if k.Live(time.Now()) != same {
			t.Errorf("after a change of %s the key is live: %t, want %t", change, !same, same)
		}
	}
}
