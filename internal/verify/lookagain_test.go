package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Other keys are looked at when there are some, three times at most, and never when the
// token or the caller forbids it.
func TestLookAgain_Local(t *testing.T) {
	t.Parallel()
	errSource := errors.New("the source fails")
	for _, tt := range []struct {
		name    string
		keyID   string
		still   bool
		rotates bool
		source  error
		fitAt   int // which of the looks fits; 0 for none
		found   bool
		looks   int
		want    error
	}{
		{"other keys that fit", "", false, true, nil, 1, true, 1, nil},
		{"others, that fit at last", "", false, true, nil, 3, true, 3, nil},
		{"others each time, that do not fit", "", false, true, nil, 0, false, 3, nil},
		{"the same keys", "", false, false, nil, 1, false, 0, nil},
		{"a source that fails", "", false, true, errSource, 1, false, 0, refusal.ErrKeysUnavailable},
		{"nobody is asked", "", true, true, nil, 1, false, 0, nil},
		{"a key ID tells", "k1", false, true, nil, 1, false, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSigner(t, tt.keyID)
			trust := newTrust(newSet(t, nil, s), nil)
			e := begin(t, newEnv(trust), s.token(goodClaims))
			e.SetTrust(trust)
			e.offered, e.still = trust.Keys.PeekAll(), tt.still
			trust.Local = local(func() error {
				if tt.rotates {
					trust.Keys = newSet(t, nil, newSigner(t, tt.keyID))
				}
				return tt.source
			})
			looks := 0
			found, err := e.LookAgain(t.Context(), func() bool { looks++; return looks == tt.fitAt })
			if found != tt.found || looks != tt.looks || !errors.Is(err, tt.want) {
				t.Errorf("LookAgain() = %v, error %v after %d looks, want %v, %v, %d", found, err, looks, tt.found, tt.want, tt.looks)
			}
		})
	}
}

// Keys that nobody can be asked for are no reason to call a token bad, whoever its issuer
// is, and a stranger's says no more than that.
func TestLookAgain_Unavailable(t *testing.T) {
	t.Parallel()
	client, err := fetch.New(fetch.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := newSigner(t, "")
	closed := newSet(t, func(c *keyset.Config) { c.Fixed, c.Fetch = nil, client })
	closed.Close()
	errStranger := refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "a stranger's", "")
	for name, stray := range map[string]Stray{"configured": nil, "a stranger's": refusing{errStranger}} {
		trust := newTrust(closed, nil)
		trust.Stray = stray
		e := begin(t, newEnv(trust), s.token(goodClaims))
		e.SetTrust(trust)
		want := error(refusal.ErrClosed)
		if stray != nil {
			want = errStranger
		}
		found, err := e.LookAgain(t.Context(), func() bool { return true })
		if found || !errors.Is(err, want) {
			t.Errorf("%s: LookAgain() = %v, error %v, want %v", name, found, err, want)
		}
	}
}

// refusing is a stranger's issuer of which nothing can be had.
type refusing struct{ err error }

func (r refusing) Contact(context.Context, *Trust, jws.KeyID) (*Trust, error) { return nil, r.err }
func (r refusing) Refuse(context.Context, error) error                        { return r.err }

// A token that none of its keys fits is not passed on where others cannot be asked for.
func TestCheckKey_OthersUnavailable(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "")
	ec := `{"kty":"EC","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	for _, source := range []error{nil, errors.New("the source fails")} {
		trust := newTrust(newSet(t, func(c *keyset.Config) { c.Fixed = document(nil, ec) }), nil)
		trust.Local = local(func() error { return source })
		e := begin(t, newEnv(trust), s.token(goodClaims))
		e.SetTrust(trust)
		want := error(refusal.ErrKeysUnavailable)
		if source == nil {
			want = refusal.ErrAlgorithm
		}
		if err := e.CheckKey(t.Context()); !errors.Is(err, want) {
			t.Errorf("CheckKey() error = %v, want %v", err, want)
		}
	}
}

// A key is tried once for one token, however often it is offered.
func TestCheckSignature_TriesOnce(t *testing.T) {
	t.Parallel()
	forger := newSigner(t, "")
	trust := newTrust(newSet(t, nil, newSigner(t, ""), newSigner(t, "")), nil)
	e := begin(t, newEnv(trust), forger.token(goodClaims))
	if err := e.Judge(t.Context(), nil); !errors.Is(err, refusal.ErrSignature) || e.tried.count != 2 {
		t.Errorf("Judge() error = %v after %d checks, want %v after 2", err, e.tried.count, refusal.ErrSignature)
	}
}

// With no check left, or one less than that, no key is tried.
func TestVerify_NoneLeft(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "")
	trust := newTrust(newSet(t, nil, s), nil)
	for count, want := range map[int]bool{2: true, 3: false, 4: false} {
		e := begin(t, newEnv(trust), s.token(goodClaims))
		e.SetTrust(trust)
		e.tried.count = count
		if got := e.verify(trust.Keys.PeekAll(), maxChecks-1); got != want || !want && e.tried.count != count {
			t.Errorf("verify() = %v after %d checks of 3, %d at the end", got, count, e.tried.count)
		}
	}
}

// Tokens of one payload are told apart, and what is left of tokens of tickets.
func TestWhole(t *testing.T) {
	t.Parallel()
	e := begin(t, newEnv(newTrust(nil, nil)), newSigner(t, "").token(goodClaims))
	if got := e.whole(); got != e.Raw {
		t.Errorf("whole() = %q, want the token", got)
	}
	e.Raw = ""
	if got := e.whole(); got != e.Token.Payload || got == "" {
		t.Errorf("whole() = %q of a ticket's token, want the payload", got)
	}
}

// The time of issue counts to the end of its second, with all leeway, and not at all where
// no good token has it.
func TestLatestIssue(t *testing.T) {
	t.Parallel()
	trust := newTrust(nil, nil)
	trust.Leeway = 10 * time.Second
	s := newSigner(t, "k1")
	for claim, want := range map[string]time.Time{
		``:                  {},
		`,"iat":"now"`:      {},
		`,"iat":1699999990`: now.Add(time.Second),
		`,"iat":1700000000`: now.Add(11 * time.Second),
		`,"iat":1700000010`: now.Add(21 * time.Second),
		`,"iat":1700000011`: {},
	} {
		e := begin(t, newEnv(trust), s.token(claim))
		e.SetTrust(trust)
		if got := e.latestIssue(); !got.Equal(want) {
			t.Errorf("with %q: issued at %v at the latest, want %v", claim, got, want)
		}
	}
}

const logoutClaims = `,"sub":"alice","aud":"x","iat":1700000000,"jti":"1","events":{"http://schemas.openid.net/event/backchannel-logout":{}}`

func TestCheckLogout_Form(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	change := func(from, to string) string { return strings.Replace(logoutClaims, from, to, 1) }
	for _, tt := range []struct {
		name, claims string
		want         error
	}{
		{"good", logoutClaims, nil},
		{"of ten minutes ago", change("1700000000", "1699999400"), nil},
		{"of a second more", change("1700000000", "1699999399"), refusal.ErrExpired},
		{"of no time", change(`"iat":1700000000,`, ""), refusal.ErrClaim},
		{"an audience of another type", change(`"aud":"x"`, `"aud":1`), refusal.ErrClaim},
		{"an audience that is good up to another type", change(`"aud":"x"`, `"aud":["x",1]`), refusal.ErrClaim},
		{"another audience", change(`"aud":"x"`, `"aud":"y"`), refusal.ErrAudience},
		{"no events", change(`"events"`, `"others"`), refusal.ErrTokenType},
		{"events that are none", change(`"events":{"http`, `"events":"x","others":{"http`), refusal.ErrTokenType},
		{"another event", change("backchannel-logout", "login"), refusal.ErrTokenType},
		{"an event that is none", change(":{}", ":null"), refusal.ErrTokenType},
		{"an event in an array", change(":{}", ":[{}]"), refusal.ErrTokenType},
		{"the longest subject", change("alice", strings.Repeat("a", claims.MaxSubjectBytes)), nil},
		{"a longer subject", change("alice", strings.Repeat("a", claims.MaxSubjectBytes+1)), refusal.ErrClaim},
		{"the longest ID", change(`"jti":"1"`, `"jti":"`+strings.Repeat("a", 1024)+`"`), nil},
		{"a longer ID", change(`"jti":"1"`, `"jti":"`+strings.Repeat("a", 1025)+`"`), refusal.ErrClaim},
		{"the longest session", logoutClaims + `,"sid":"` + strings.Repeat("a", 1024) + `"`, nil},
		{"a longer session", logoutClaims + `,"sid":"` + strings.Repeat("a", 1025) + `"`, refusal.ErrClaim},
	} {
		for _, any := range []bool{false, true} {
			trust := newTrust(keys, func(p *policy.Policy) {
				if p.Audiences = []string{"x"}; any {
					p.Audiences = nil
				}
			})
			want := tt.want
			if any && errors.Is(want, refusal.ErrAudience) {
				want = nil
			}
			if _, err := CheckLogout(t.Context(), newEnv(trust), s.token(tt.claims), now); !errors.Is(err, want) {
				t.Errorf("%s, any audience %v: CheckLogout() error = %v, want %v", tt.name, any, err, want)
			}
		}
	}
}

// A logout is of the logins by opaque tokens, too.
func TestCheckLogout_OfOpaque(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	jwt, opaque := newTrust(keys, nil), newTrust(keys, func(p *policy.Policy) { p.Opaque = true })
	for _, all := range [][]*Trust{{jwt, opaque}, {opaque, jwt}} {
		l, err := CheckLogout(t.Context(), newEnv(all...), s.token(logoutClaims), now)
		if err != nil || !slices.Equal(l.All, all) {
			t.Errorf("CheckLogout() = %+v, error %v, want both descriptions", l, err)
		}
	}
}
