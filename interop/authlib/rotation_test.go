package authlib_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

const coolDown = 10 * time.Second // between two look-ups that found nothing

// A load is what clients, good and bad, do to an Authenticator.
type load struct {
	t       *testing.T
	issuer  issuer
	auth    *oidcauth.Authenticator
	lookups atomic.Int64

	accepted, postponed, forged, withdrawn atomic.Int64
	longest                                atomic.Int64 // wait for acceptance
}

// newLoad returns an Authenticator that trusts the issuer.
func newLoad(t *testing.T) *load {
	l := &load{t: t, issuer: start(t)}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{
			described(issuers.RFC9068(l.issuer.url, "my-db", "app")),
			described(issuers.RFC9068Service(l.issuer.url, "my-db", "importer")),
			described(oidcauth.Issuer{URL: l.issuer.url, Name: "id", Audiences: []string{"app"}}),
		},
		Trace: &authtrace.Hooks{KeysFetched: func(authtrace.KeyFetch) { l.lookups.Add(1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.auth = auth
	t.Cleanup(func() { auth.Close() })
	return l
}

func described(i oidcauth.Issuer) oidcauth.Issuer {
	i.Keys.InsecureHTTP = true
	return i
}

// token gets a token of one kind from the issuer.
func (l *load) token(ctx context.Context, kind string) answer {
	a, err := l.issuer.ask(ctx, http.MethodGet, "/token?kind="+kind)
	if err != nil && ctx.Err() == nil {
		l.t.Errorf("no token: %v", err)
	}
	return a
}

// current returns the number of the issuer's key.
func (l *load) current(ctx context.Context) int {
	a, err := l.issuer.ask(ctx, http.MethodGet, "/rotate")
	if err != nil && ctx.Err() == nil {
		l.t.Errorf("no key number: %v", err)
	}
	return a.KeyNumber
}

// Authlib signs without key IDs where it is given a single key, and the issuer has
// nothing else to tell its keys apart by.
func TestAuthlib_Tokens(t *testing.T) {
	l := newLoad(t)
	tried.Published(t, l.issuer.url, l.issuer.url+"/.well-known/openid-configuration")
	columns := map[string]string{"access": trial.ServiceToken, "person": trial.AccessToken, "id": trial.IDToken}
	kinds := []string{"access", "person", "id"}
	var before []string
	for _, kind := range kinds {
		token := l.token(t.Context(), kind).Token
		if token == "" {
			t.Fatal("no token to begin with")
		}
		header, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(header), "kid") {
			t.Errorf("%s token: header %s has a key ID: these tests need one without", kind, header)
		}
		tried.Accepts(t, columns[kind], l.auth, token)
		before = append(before, token)
	}
	tried.Saw(t, trial.Rotation, "accepted at once")
	tried.Saw(t, trial.Logout, "none")
	if _, err := l.issuer.ask(t.Context(), http.MethodPost, "/rotate"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		if _, err := l.auth.Authenticate(t.Context(), l.token(t.Context(), kind).Token); err != nil {
			t.Errorf("%s token after a rotation in peace: Authenticate() error = %v", kind, err)
		}
	}
	for n, token := range before {
		if _, err := l.auth.Authenticate(t.Context(), token); err == nil {
			t.Errorf("%s token of the withdrawn key is accepted", kinds[n])
		}
	}
}

func TestAuthlib_Refused(t *testing.T) {
	l := newLoad(t)
	token := func(kind string) string { return l.token(t.Context(), kind).Token }
	tried.Refuses(t, l.auth, []trial.Refusal{
		{Name: "access token", Token: token("access")},
		{Name: "access token of a person", Token: token("person")},
		{Name: "access token of a client that took the person's name", Token: token("namesake"), Want: oidcauth.ErrRule},
		{Name: "access token for another server", Token: token("other"), Want: oidcauth.ErrAudience},
		{Name: "opaque access token", Token: token("opaque"), Want: oidcauth.ErrMalformedToken},
		{Name: "signature with another character", Token: trial.Tampered(token("access")), Want: oidcauth.ErrSignature},
	})
}

// While the key is replaced again and again, and others send what is made up, no
// good token is refused: it is accepted, or told to come back and then accepted.
func TestAuthlib_RotationUnderLoad(t *testing.T) {
	l := newLoad(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	var wg sync.WaitGroup
	for n := range 6 {
		kind := []string{"access", "id"}[n%2]
		wg.Go(func() {
			for ctx.Err() == nil {
				if a := l.token(ctx, kind); a.Token != "" && ctx.Err() == nil {
					l.present(ctx, a)
				}
				pause(ctx, 50*time.Millisecond)
			}
		})
	}
	for _, keyID := range []string{"", "made-up"} {
		wg.Go(func() { l.forge(ctx, keyID) })
	}
	for range 4 {
		pause(ctx, 8*time.Second)
		if _, err := l.issuer.ask(ctx, http.MethodPost, "/rotate"); err != nil {
			t.Fatal(err)
		}
	}
	pause(ctx, coolDown+2*time.Second)
	stop()
	wg.Wait()

	longest := time.Duration(l.longest.Load())
	t.Logf("in %v, with 4 rotations: %d good tokens accepted, of them %d after a wait, the longest %v; %d of withdrawn keys; %d forged ones; %d fetches",
		time.Since(began).Round(time.Second), l.accepted.Load(), l.postponed.Load(), longest.Round(time.Millisecond),
		l.withdrawn.Load(), l.forged.Load(), l.lookups.Load())
	if l.accepted.Load() < 100 || l.forged.Load() < 100 {
		t.Error("that was no load")
	}
	if longest > coolDown+2*time.Second {
		t.Errorf("a good token waited %v, want a cool-down at most", longest)
	}
	if most := 3 + 4 + int64(time.Since(began)/coolDown); l.lookups.Load() > most {
		t.Errorf("%d fetches, want at most %d", l.lookups.Load(), most)
	}
}

// present presents a token until it is accepted. It may be refused only when the
// issuer has another key by now.
func (l *load) present(ctx context.Context, a answer) {
	began, waited := time.Now(), false
	for {
		_, err := l.auth.Authenticate(ctx, a.Token)
		refusal, _ := errors.AsType[*oidcauth.Refusal](err)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			l.accept(time.Since(began), waited)
			return
		case l.current(ctx) != a.KeyNumber:
			l.withdrawn.Add(1)
			return
		case ctx.Err() != nil:
			return
		case !errors.Is(err, oidcauth.ErrKeysUnavailable):
			l.t.Errorf("a token under the issuer's key is refused: %v", err)
			return
		case refusal.RetryAfter() <= 0 || refusal.RetryAfter() > coolDown:
			l.t.Errorf("RetryAfter = %v", refusal.RetryAfter())
			return
		}
		waited = true
		pause(ctx, refusal.RetryAfter())
	}
}

func (l *load) accept(took time.Duration, waited bool) {
	l.accepted.Add(1)
	if waited {
		l.postponed.Add(1)
	}
	for {
		longest := l.longest.Load()
		if int64(took) <= longest || l.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// forge sends tokens that a stranger signed, without key ID or each with another.
func (l *load) forge(ctx context.Context, keyID string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		l.t.Error(err)
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		options := (&jose.SignerOptions{}).WithType("at+jwt")
		if keyID != "" {
			options = options.WithHeader("kid", fmt.Sprint(keyID, n))
		}
		token := l.sign(key, options)
		if _, err := l.auth.Authenticate(ctx, token); err == nil {
			l.t.Error("a forged token is accepted")
		}
		l.forged.Add(1)
		pause(ctx, 100*time.Millisecond)
	}
}

func (l *load) sign(key *rsa.PrivateKey, options *jose.SignerOptions) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		l.t.Error(err)
		return ""
	}
	now := time.Now().Unix()
	claims, _ := json.Marshal(map[string]any{
		"iss": l.issuer.url, "sub": "importer", "aud": "my-db", "client_id": "importer", "iat": now, "exp": now + 600, "jti": rand.Text(),
	})
	signed, err := signer.Sign(claims)
	if err != nil {
		l.t.Error(err)
		return ""
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		l.t.Error(err)
	}
	return token
}

// pause waits, but not beyond ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
