package verify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A keyless is an issuer whose tokens and keys have no key IDs.
type keyless struct {
	*oidctest.Issuer
	auth *oidcauth.Authenticator
}

// newKeyless returns such an issuer, and an Authenticator that has its keys since a
// minute.
func newKeyless(t *testing.T, change func(*oidcauth.Config)) keyless {
	t.Helper()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	k := keyless{Issuer: issuer}
	k.become("ES256")
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
	if change != nil {
		change(&cfg)
	}
	k.auth = authtest.NewAuthenticator(t, cfg)
	authtest.Wants(t, k.auth, issuer.Token(nil), nil)
	time.Sleep(time.Minute)
	issuer.ResetFetches()
	return k
}

// become replaces the issuer's keys by a new one.
func (k keyless) become(alg string) {
	k.RemoveKeys()
	key := k.NewKey(oidctest.KeyConfig{Algorithm: alg, NoID: true})
	k.Publish(key)
	k.SignWith(key)
}

// forge returns tokens without key ID by keys that the issuer never had.
func (k keyless) forge(claims map[string]any) string {
	return k.NewKey(oidctest.KeyConfig{Algorithm: "ES256", NoID: true}).Token(claims)
}

func TestKeyless_RotationInPeace(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, alg string }{
		{"to a key of the same kind", "ES256"},
		{"to one of another curve", "ES384"},
		{"to one of another type", "EdDSA"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeyless(t, nil)
				for range 3 {
					time.Sleep(authtest.CoolDown)
					k.become(row.alg)
					began := time.Now()
					authtest.Wants(t, k.auth, k.Token(nil), nil)
					if waited := time.Since(began); waited != 0 {
						t.Errorf("waited %v, want 0", waited)
					}
				}
				if f := k.Fetches(); f.JWKS > 4 {
					t.Errorf("%d fetches for three rotations", f.JWKS)
				}
			})
		})
	}
}

// While forged tokens keep the issuer from being asked, a token under its new key is
// told to come back, and accepted when it does. The forged ones cost what unknown
// key IDs do.
func TestKeyless_RotationInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeyless(t, nil)
		began := time.Now()
		for n := range 40 {
			authtest.RefusedInFlood(t, k.auth, k.forge(map[string]any{"jti": fmt.Sprint(n)}), oidcauth.ErrSignature)
			time.Sleep(250 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		k.become("ES256")
		good := k.Token(nil)
		_, err := k.auth.Authenticate(t.Context(), good)
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !ok || !errors.Is(err, oidcauth.ErrKeysUnavailable) || refusal.RetryAfter() <= 0 || refusal.RetryAfter() > authtest.CoolDown {
			t.Fatalf("Authenticate() error = %v, want %v and when to come back", err, oidcauth.ErrKeysUnavailable)
		}
		if status, _, _ := oidcauth.Answer(err); status != 503 {
			t.Errorf("Answer() = %d, want 503", status)
		}
		time.Sleep(refusal.RetryAfter())
		authtest.Wants(t, k.auth, good, nil)
		if got, most := k.Fetches().JWKS, 2+int(time.Since(began)/authtest.CoolDown); got > most {
			t.Errorf("%d fetches in %v, want at most %d", got, time.Since(began), most)
		}
	})
}

// What a token says of the time of its issue decides between "come back" and "no",
// and nothing else: it can be made up.
func TestKeyless_IssuedAt(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		issued any // seconds from now, or another value
		want   error
	}{
		{"now", 0, oidcauth.ErrKeysUnavailable},
		{"after the last look-up, by a clock that is late", -25, oidcauth.ErrKeysUnavailable},
		{"a little ahead, by a clock that is early", 25, oidcauth.ErrKeysUnavailable},
		{"before the last look-up", -40, oidcauth.ErrSignature},
		{"farther ahead than any good token", 40, oidcauth.ErrSignature},
		{"never", nil, oidcauth.ErrSignature},
		{"a word", "now", oidcauth.ErrSignature},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeyless(t, nil)
				authtest.Wants(t, k.auth, k.forge(nil), oidcauth.ErrSignature) // spends the look-up
				time.Sleep(time.Second)
				issued := row.issued
				if seconds, ok := issued.(int); ok {
					issued = time.Now().Unix() + int64(seconds)
				}
				forged := k.forge(map[string]any{"iat": issued})
				authtest.Wants(t, k.auth, forged, row.want)
				time.Sleep(authtest.CoolDown)
				authtest.Wants(t, k.auth, forged, oidcauth.ErrSignature) // it has been looked up meanwhile
				if f := k.Fetches(); f.JWKS != 2 {
					t.Errorf("%d fetches, want 2", f.JWKS)
				}
			})
		})
	}
}

func TestKeyless_Flood(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 50} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKeyless(t, nil)
				k.Fail(oidctest.JWKS, oidctest.Fault{Delay: 50 * time.Millisecond})
				stranger := k.NewKey(oidctest.KeyConfig{Algorithm: "ES256", NoID: true})
				tokens := make([]string, 500)
				for n := range tokens {
					tokens[n] = stranger.Token(map[string]any{"jti": fmt.Sprint(n)})
				}
				authtest.InParallel(tokens, workers, func(token string) { authtest.RefusedInFlood(t, k.auth, token, oidcauth.ErrSignature) })
				time.Sleep(5 * authtest.CoolDown)
				if f := k.Fetches(); f.JWKS < 1 || f.JWKS > 2 {
					t.Errorf("cost %d fetches, want 1 or 2", f.JWKS)
				}
				authtest.Wants(t, k.auth, k.Token(nil), nil)
			})
		})
	}
}

// A report does not claim that a token without key ID was changed.
func TestExplain_Keyless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeyless(t, nil)
		k.AddJWK(map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"})
		bad := authtest.FailedStep(t, k.auth.Explain(t.Context(), k.forge(nil)), "signature")
		if strings.Contains(bad.Advice, "changed") || !strings.Contains(bad.Advice, "names no key") {
			t.Errorf("advice = %q", bad.Advice)
		}
		if !strings.Contains(bad.Got, "no key ID") || !strings.Contains(bad.Want, "not usable here, because: 1 RSA key too small") {
			t.Errorf("got %s, want %s", bad.Got, bad.Want)
		}
		time.Sleep(time.Second)
		later := authtest.FailedStep(t, k.auth.Explain(t.Context(), k.forge(nil)), "signature")
		if !strings.Contains(later.Advice, "says nothing about the token") || !strings.Contains(later.Got, "a moment ago") {
			t.Errorf("step while the look-up is postponed = %+v", later)
		}
		changed := authtest.FailedStep(t, k.auth.Explain(t.Context(), k.NewKey(oidctest.KeyConfig{ID: "k"}).Token(nil)), "key")
		if !strings.Contains(changed.Got, "a moment ago") {
			t.Errorf("step of a key ID while the look-up is postponed = %+v", changed)
		}
	})
}

// A ticket for a token under a key that this node has not seen yet is good here too.
func TestKeyless_TicketOfAnotherNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
		k := keyless{Issuer: issuer}
		k.become("ES256")
		key, secret := authtest.NewKey(t), []byte(said.NewSecret("secret of tickets"))
		var nodes [2]*oidcauth.Authenticator
		var locals [2]*localissuer.Issuer
		for i := range nodes {
			locals[i] = authtest.NewLocal(t, localissuer.Config{Signer: key, TicketSecret: secret})
			nodes[i] = authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, locals[i].Issuer()}, Client: issuer.Client()})
			authtest.Wants(t, nodes[i], k.Token(nil), nil)
		}
		time.Sleep(time.Minute)
		withdrawn, err := locals[0].Ticket(authtest.From(), authtest.Wants(t, nodes[0], k.Token(nil), nil), localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		k.become("ES256")
		good, err := locals[0].Ticket(authtest.From(), authtest.Wants(t, nodes[0], k.Token(nil), nil), localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[1].AuthenticateTicket(authtest.From(), good, localissuer.AnyDatabase); err != nil {
			t.Errorf("AuthenticateTicket() error = %v", err)
		}
		if _, err := nodes[1].AuthenticateTicket(authtest.From(), withdrawn, localissuer.AnyDatabase); err == nil {
			t.Error("a ticket for a token of a withdrawn key is accepted")
		}
	})
}

// A withdrawn key may have been longer than those that are left.
func TestExplain_KeylessOfAnotherLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeyless(t, nil)
		k.become("RS256")
		authtest.Wants(t, k.auth, k.Token(nil), nil)
		longer := k.NewKey(oidctest.KeyConfig{Algorithm: "RS256", NoID: true, Bits: 3072}).Token(map[string]any{"iat": 1})
		step := authtest.FailedStep(t, k.auth.Explain(t.Context(), longer), "signature")
		if strings.Contains(step.Advice, "changed") || strings.Contains(step.Advice, "cut") || !strings.Contains(step.Advice, "names no key") {
			t.Errorf("step = %+v", step)
		}
	})
}
