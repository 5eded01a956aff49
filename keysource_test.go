package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A handSource is a KeySource that says what the test wants.
type handSource struct {
	mu       sync.Mutex // guards what follows
	keys     oidcauth.Keys
	adopt    func(oidcauth.Keys) error
	stopped  int
	asked    int
	onDemand func() // of Refresh
	onStop   func()

	silent bool   // Follow says nothing
	deaf   bool   // Follow does not tell what adopt says
	err    error  // of Follow
	late   error  // of Follow, which has said its keys
	panics string // of Follow, which has said its keys
}

func (s *handSource) Follow(adopt func(oidcauth.Keys) error) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adopt = adopt
	switch {
	case s.err != nil:
		return nil, s.err
	case !s.silent:
		if err := adopt(s.keys); err != nil && !s.deaf {
			return nil, err
		}
	}
	if s.panics != "" {
		panic(s.panics)
	}
	return func() {
		if s.stopped++; s.onStop != nil {
			s.onStop()
		}
	}, s.late
}

func (s *handSource) Refresh() {
	s.asked++
	if s.onDemand != nil {
		s.onDemand()
	}
}

// newHandSource returns an issuer whose keys nobody fetches, its description and
// the source of its keys.
func newHandSource(t *testing.T) (*oidctest.Issuer, oidcauth.Issuer, *handSource) {
	t.Helper()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	source := &handSource{keys: oidcauth.Keys{Issuer: issuer.URL(), JWKS: issuer.KeySet()}}
	trusted.Keys.Source = source
	return issuer, trusted, source
}

// Keys of a source take the place of others at once, and nothing is fetched.
func TestKeySource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted, source := newHandSource(t)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(nil)
		session := a.NewSession(t.Context(), wants(t, a, token, nil))
		defer session.Close()
		issuer.Replace()
		next := source.keys
		next.JWKS = issuer.KeySet()
		if err := source.adopt(next); err != nil {
			t.Fatalf("adopt() error = %v", err)
		}
		wants(t, a, issuer.Token(nil), nil)
		wants(t, a, token, oidcauth.ErrUnknownKey)
		expectEnd(t, session, oidcauth.ErrUnknownKey)
		if n := issuer.Fetches(); n.JWKS+n.Discovery != 0 {
			t.Errorf("%+v, want no fetches", n)
		}
		if err := a.Close(); err != nil || source.stopped != 1 {
			t.Errorf("Close() error = %v, stopped %d times, want once", err, source.stopped)
		}
		if err := source.adopt(next); err != nil {
			t.Errorf("adopt() after Close: error = %v", err)
		}
		wants(t, a, issuer.Token(nil), oidcauth.ErrClosed)
	})
}

// A source that says nothing sensible at first makes no Authenticator.
func TestKeySource_RefusedAtFirst(t *testing.T) {
	t.Parallel()
	failed := errors.New("no connection")
	for _, tt := range []struct {
		name string
		set  func(*handSource, *oidcauth.Issuer)
		want string // empty: accepted
	}{
		{"sensible", func(*handSource, *oidcauth.Issuer) {}, ""},
		{"another issuer's keys", func(s *handSource, _ *oidcauth.Issuer) { s.keys.Issuer = "https://other.test" }, "other.test"},
		{"keys of nobody", func(s *handSource, _ *oidcauth.Issuer) { s.keys.Issuer = "" }, `""`},
		{"keys of an alias", func(s *handSource, i *oidcauth.Issuer) { s.keys.Issuer, i.Aliases = "alias", []string{"alias"} }, "alias"},
		{"no keys", func(s *handSource, _ *oidcauth.Issuer) { s.keys.JWKS = nil }, "issuer"},
		{"an empty set", func(s *handSource, _ *oidcauth.Issuer) { s.keys.JWKS = json.RawMessage(`{"keys":[]}`) }, "usable"},
		{"no document", func(s *handSource, _ *oidcauth.Issuer) { s.keys.JWKS = json.RawMessage(`{`) }, "issuer"},
		{"silence", func(s *handSource, _ *oidcauth.Issuer) { s.silent = true }, "Follow"},
		{"an error", func(s *handSource, _ *oidcauth.Issuer) { s.err = failed }, failed.Error()},
		{"an error after its keys", func(s *handSource, _ *oidcauth.Issuer) { s.late = failed }, failed.Error()},
		{"an error that cannot be told", func(s *handSource, _ *oidcauth.Issuer) { s.late = (*nilError)(nil) }, "panicked"},
		{"a panic after its keys", func(s *handSource, _ *oidcauth.Issuer) { s.panics = "secret" }, "panicked"},
		{"keys that are refused, and nothing of that", func(s *handSource, _ *oidcauth.Issuer) { s.keys.Issuer, s.deaf = "", true }, "Follow"},
		{"unusable keys, and nothing of that", func(s *handSource, _ *oidcauth.Issuer) { s.keys.JWKS, s.deaf = nil, true }, "Follow"},
		{"addresses beside it", func(_ *handSource, i *oidcauth.Issuer) { i.Keys.JWKSURL = "https://keys.test" }, "Source"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, trusted, source := newHandSource(t)
			tt.set(source, &trusted)
			a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
			if err == nil {
				a.Close()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("New() error = %v, want one about %q", err, tt.want)
			}
			if source.adopt != nil && source.err == nil && (tt.want == "" || source.silent || source.deaf) && source.stopped != 1 {
				t.Errorf("stopped %d times, want once", source.stopped)
			}
			if source.adopt != nil { // which nobody needs any more
				source.adopt(source.keys)
			}
		})
	}
}

// Keys that are not adopted leave those of before in force, with what they grant.
func TestKeySource_RefusedLater(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	source.keys.WithoutKeyID = []string{issuer.Key().ID()}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
	for name, keys := range map[string]oidcauth.Keys{
		"another issuer's": {Issuer: "https://other.test", JWKS: issuer.KeySet()},
		"none usable":      {Issuer: issuer.URL(), JWKS: json.RawMessage(`{"keys":[]}`)},
		"nothing":          {},
	} {
		if err := source.adopt(keys); err == nil {
			t.Errorf("%s: adopt() error = nil", name)
		}
		wants(t, a, issuer.Token(nil), nil)
		wants(t, a, issuer.Sign(map[string]any{"kid": nil}, payloadOf(issuer)), nil)
	}
}

// Keys that are not adopted grant nothing to those of before.
func TestKeySource_RefusedGrant(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	keys := oidcauth.Keys{Issuer: issuer.URL(), JWKS: json.RawMessage(`{"keys":[]}`), WithoutKeyID: []string{issuer.Key().ID()}}
	for _, want := range []error{oidcauth.ErrSignature, nil} {
		if err := source.adopt(keys); (err == nil) != (want == nil) {
			t.Fatalf("adopt() error = %v", err)
		}
		wants(t, a, issuer.Sign(map[string]any{"kid": nil}, payloadOf(issuer)), want)
		keys.JWKS = issuer.KeySet()
	}
}

// While keys take the place of others, tokens by either are good that need not name them.
// Then those that may no longer are told, and no others: there may be many sessions.
func TestKeySource_WithoutKeyIDMeanwhile(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	issuer.Rotate()
	issuer.Rotate()
	source.keys.JWKS, source.keys.WithoutKeyID = issuer.KeySet(), []string{"issuer.test-1", "issuer.test-2"}
	next := source.keys
	next.WithoutKeyID = []string{"issuer.test-2", "issuer.test-3"}
	var both, lost []string
	for _, follow := range []func() error{
		func() error { return oidcauth.FollowGrants(trusted, func(ids []string) { both = ids }) },
		func() error { return oidcauth.FollowLost(trusted, func(ids []string) { lost = ids }) },
	} {
		if err := follow(); err != nil {
			t.Fatal(err)
		}
		if err := source.adopt(next); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"issuer.test-1", "issuer.test-2", "issuer.test-3"}; !slices.Equal(both, want) {
		t.Errorf("meanwhile %q need not be named, want %q", both, want)
	}
	if want := []string{"issuer.test-1"}; !slices.Equal(lost, want) {
		t.Errorf("afterwards %q have to be named, want %q", lost, want)
	}
}

// As an Authenticator is closed its keys are gone before all else: no token that it knows
// is accepted any more, and no call of a session.
func TestClose_KeysAreGone(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	token := issuer.Token(nil)
	s := a.NewSession(t.Context(), authenticate(t, a, token))
	source.onStop = func() {
		wants(t, a, token, oidcauth.ErrClosed)
		if cause := context.Cause(s.CallContext()); !errors.Is(cause, oidcauth.ErrClosed) {
			t.Errorf("a call's cause = %v, want %v", cause, oidcauth.ErrClosed)
		}
	}
	a.Close()
	if source.stopped != 1 {
		t.Errorf("stopped %d times, want once", source.stopped)
	}
}

// described returns keys with less said of each, which verify the same.
func described(jwks json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.NewReplacer(`"alg":"ES256",`, "", `,"alg":"ES256"`, "").Replace(string(jwks)))
}

func payloadOf(issuer *oidctest.Issuer) map[string]any {
	return map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix()}
}

// What a source does not say is not granted.
func TestKeySource_Grants(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	good := source.keys
	keyless, lasting := payloadOf(issuer), payloadOf(issuer)
	lasting["exp"] = nil
	for _, tt := range []struct {
		name, token   string
		refused       error
		grant, narrow func(*oidcauth.Keys) // the second grants something near by
	}{
		{"a token without key ID", issuer.Sign(map[string]any{"kid": nil}, keyless), oidcauth.ErrSignature,
			func(k *oidcauth.Keys) { k.WithoutKeyID = []string{issuer.Key().ID()} },
			func(k *oidcauth.Keys) { k.WithoutKeyID = []string{"", "other"} }},
		{"a token without expiry", issuer.Sign(nil, lasting), oidcauth.ErrClaim,
			func(k *oidcauth.Keys) { k.NoExpiry = true },
			func(k *oidcauth.Keys) { k.MaxLifetime = -1 }},
	} {
		for name, grant := range map[string]func(*oidcauth.Keys){"granted": tt.grant, "another thing granted": tt.narrow, "nothing granted": func(*oidcauth.Keys) {}} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				source.keys = good
				grant(&source.keys)
				want := tt.refused
				if name == "granted" {
					want = nil
				}
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
				wants(t, a, tt.token, want)
				wants(t, a, issuer.Token(nil), nil)
			})
		}
	}
}

// While a source does not know whether its keys are good, none is trusted: from
// the beginning or since, until it says so.
func TestKeySource_Unavailable(t *testing.T) {
	t.Parallel()
	lost := errors.New("the vault is sealed")
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted, source := newHandSource(t)
			good, gone := source.keys, source.keys
			gone.Unavailable = lost
			if first {
				source.keys = gone
			}
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
			if !first {
				session := a.NewSession(t.Context(), wants(t, a, issuer.Token(nil), nil))
				defer session.Close()
				if err := source.adopt(gone); err != nil {
					t.Fatal(err)
				}
				expectEnd(t, session, oidcauth.ErrKeysUnavailable)
			}
			for range 2 { // said twice, it is the same
				if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, lost) {
					t.Errorf("Authenticate() error = %v, want %v for %v", err, oidcauth.ErrKeysUnavailable, lost)
				}
				if err := source.adopt(gone); err != nil {
					t.Fatal(err)
				}
			}
			if err := source.adopt(good); err != nil {
				t.Fatal(err)
			}
			wants(t, a, issuer.Token(nil), nil)
		})
	}
}

// A source is asked for keys that it has not said, and not about others' tokens.
func TestKeySource_Refresh(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	wants(t, a, issuer.Token(nil), nil)
	wants(t, a, madeUp("https://other.test"), oidcauth.ErrUnknownIssuer)
	if source.asked != 0 {
		t.Errorf("asked %d times for keys that are known", source.asked)
	}
	stranger := issuer.NewKey(oidctest.KeyConfig{})
	wants(t, a, stranger.Token(nil), oidcauth.ErrUnknownKey)
	source.onDemand = func() {
		keys := source.keys
		keys.JWKS = issuer.KeySet()
		if err := source.adopt(keys); err != nil {
			t.Error(err)
		}
	}
	issuer.Rotate()
	wants(t, a, issuer.Token(nil), nil)
	if source.asked != 2 {
		t.Errorf("asked %d times, want once for each unknown key", source.asked)
	}
}

// A revocation without an end is kept for as long as the tokens of a source live.
func TestKeySource_MaxLifetime(t *testing.T) {
	t.Parallel()
	const year = 366 * 24 * time.Hour
	for _, tt := range []struct {
		name     string
		lifetime time.Duration
		kept     time.Duration // and not twice as long
	}{
		{"nothing said", 0, 364 * 24 * time.Hour},
		{"an hour", time.Hour, 364 * 24 * time.Hour},
		{"three years", 3 * year, 3 * year},
		{"some never expire", -1, 99 * 365 * 24 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := new(authtest.Clock)
			_, trusted, source := newHandSource(t)
			source.keys.MaxLifetime = tt.lifetime
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Now: clock.Now})
			revoke(t, a, oidcauth.Revocation{Subject: "alice"})
			clock.Set(tt.kept)
			if n := a.RevocationCount(); n != 1 {
				t.Errorf("%d revocations after %v, want 1", n, tt.kept)
			}
			clock.Set(2 * tt.kept)
			if n := a.RevocationCount(); n != 0 {
				t.Errorf("%d revocations after %v, want none", n, 2*tt.kept)
			}
		})
	}
}

// The longest lifetime that there is stands for no bound: revocations and logouts hold, of
// other issuers too.
func TestKeySource_LongestLifetime(t *testing.T) {
	t.Parallel()
	_, endless, source := newHandSource(t)
	source.keys.MaxLifetime = math.MaxInt64
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{endless, trusted}, Client: issuer.Client()})
	alice, bob := issuer.Token(nil), issuer.Token(map[string]any{"sub": "bob"})
	wants(t, a, alice, nil)
	if status := postLogout(a, logoutToken(issuer, map[string]any{"sub": "alice"})).StatusCode; status != 200 {
		t.Errorf("logout answered %d, want 200", status)
	}
	revoke(t, a, oidcauth.Revocation{Subject: "bob"})
	wants(t, a, alice, oidcauth.ErrRevoked)
	wants(t, a, bob, oidcauth.ErrRevoked)
}

// A withoutTickets is a local issuer of which nobody says that it sells tickets.
type withoutTickets struct {
	*localissuer.Issuer
	sold *ticket.Authority // in place of its own
}

func (w withoutTickets) Follow(adopt func(oidcauth.Keys) error) (func(), error) {
	return w.Issuer.Follow(func(k oidcauth.Keys) error {
		k.Tickets = w.sold
		return adopt(k)
	})
}

// Who has an issuer's keys may not therefore vouch for others' callers.
func TestKeySource_NoTickets(t *testing.T) {
	t.Parallel()
	local := newLocal(t, localissuer.Config{})
	silent := local.Issuer()
	silent.Keys.Source = withoutTickets{local, nil}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{silent}})
	claims := wants(t, a, issue(t, local, localissuer.Request{}), nil)
	sold, err := local.Ticket(from(), claims, "chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.AuthenticateTicket(from(), sold, "chat"); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
	other := local.Issuer()
	other.Keys.Source = withoutTickets{local, ticket.NewAuthority(func(string) ([]byte, bool) { return nil, false }, nil)}
	b := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{other}})
	if _, err := b.AuthenticateTicket(from(), sold, "chat"); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("AuthenticateTicket() where none of the keys sells any: error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if _, err := trusting(t, local).AuthenticateTicket(from(), sold, "chat"); err != nil {
		t.Errorf("AuthenticateTicket() where it is said: error = %v", err)
	}
}

// A source is let go of where New fails behind it.
func TestKeySource_NewFails(t *testing.T) {
	t.Parallel()
	_, trusted, source := newHandSource(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Revocations: newMemoryLog(), RevocationDir: file})
	if err == nil || !strings.Contains(err.Error(), "Config.RevocationDir") || source.stopped != 1 {
		t.Errorf("New() error = %v, and the source was stopped %d times, want an error about RevocationDir and once", err, source.stopped)
	}
}

// Claims for tests need what a source grants, and no more of it.
func TestKeySource_UnverifiedClaims(t *testing.T) {
	t.Parallel()
	issuer, trusted, source := newHandSource(t)
	payload := wants(t, newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}), issuer.Token(nil), nil).Payload()
	endless := []byte(`{"iss":"` + issuer.URL() + `","sub":"alice"}`)
	for _, granted := range []bool{false, true} {
		source.keys.NoExpiry = granted
		if _, err := oidcauth.UnverifiedClaims(endless, trusted); (err == nil) != granted || !granted && !errors.Is(err, oidcauth.ErrClaim) {
			t.Errorf("UnverifiedClaims() without expiry, where that is granted %t: error = %v", granted, err)
		}
	}
	before := source.stopped
	if c, err := oidcauth.UnverifiedClaims(payload, trusted); err != nil || c.Subject() != "alice" {
		t.Errorf("UnverifiedClaims() error = %v", err)
	}
	if source.stopped != before+1 {
		t.Error("the source is still followed")
	}
	source.err = context.DeadlineExceeded
	if _, err := oidcauth.UnverifiedClaims(payload, trusted); !errors.Is(err, source.err) {
		t.Errorf("UnverifiedClaims() error = %v, want %v", err, source.err)
	}
}

// A key that may have signed tokens without key ID may no longer, or is published under
// an ID that may not: what was accepted of them before does not outlive that.
func TestKeySource_WithoutKeyIDTakenBack(t *testing.T) {
	t.Parallel()
	renamed := func(k oidcauth.Keys) oidcauth.Keys {
		k.JWKS = json.RawMessage(strings.Replace(string(k.JWKS), `"kid":"issuer.test-1"`, `"kid":"renamed"`, 1))
		return k
	}
	for _, tt := range []struct {
		name   string
		change func(oidcauth.Keys) oidcauth.Keys
		named  error // what becomes of a token that names the key
		want   error // and of one that does not
	}{
		{"nothing changes", func(k oidcauth.Keys) oidcauth.Keys { return k }, nil, nil},
		{"it is taken back", func(k oidcauth.Keys) oidcauth.Keys { k.WithoutKeyID = nil; return k }, nil, oidcauth.ErrSignature},
		{"another key has it", func(k oidcauth.Keys) oidcauth.Keys { k.WithoutKeyID = []string{"other"}; return k }, nil, oidcauth.ErrSignature},
		{"the key is renamed", renamed, oidcauth.ErrUnknownKey, oidcauth.ErrSignature},
		{"the key is renamed with it", func(k oidcauth.Keys) oidcauth.Keys { k.WithoutKeyID = []string{"renamed"}; return renamed(k) }, oidcauth.ErrUnknownKey, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted, source := newHandSource(t)
			source.keys.WithoutKeyID = []string{"issuer.test-1"}
			local := newLocal(t, localissuer.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, local.Issuer()}})
			claims := map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix()}
			for header, want := range map[any]error{"issuer.test-1": tt.named, nil: tt.want} {
				token := issuer.Sign(map[string]any{"kid": header}, claims)
				session := a.NewSession(t.Context(), wants(t, a, token, nil))
				ticket, err := local.Ticket(from(), session.Claims(), "chat")
				if err != nil {
					t.Fatal(err)
				}
				if err := source.adopt(tt.change(source.keys)); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					wants(t, a, token, nil)
				} else if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
					t.Errorf("key ID %v: Authenticate() error = %v, want %v", header, err, want)
				}
				if cause := context.Cause(session.Context()); !errors.Is(cause, want) || (cause == nil) != (want == nil) {
					t.Errorf("key ID %v: the session's cause = %v, want %v", header, cause, want)
				}
				if _, err := a.AuthenticateTicket(from(), ticket, "chat"); (err == nil) != (want == nil) {
					t.Errorf("key ID %v: AuthenticateTicket() error = %v, want %v", header, err, want)
				}
				session.Close()
				if err := source.adopt(source.keys); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
