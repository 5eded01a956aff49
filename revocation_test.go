package oidcauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// withoutMember returns a JSON object without one of its members.
func withoutMember(t testing.TB, object json.RawMessage, name string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatal(err)
	}
	delete(members, name)
	return members
}

// What a revocation matches, for a token from the cache, a fresh one and a live
// session alike.
func TestRevoke(t *testing.T) {
	t.Parallel()
	const id = oidctest.DefaultURL
	at := time.Now().Truncate(time.Second)
	tests := []struct {
		name       string
		revocation oidcauth.Revocation
		change     map[string]any // of the token's claims
		want       error
	}{
		{"token", oidcauth.Revocation{TokenID: "token-1"}, nil, oidcauth.ErrRevoked},
		{"another token", oidcauth.Revocation{TokenID: "token-2"}, nil, nil},
		{"login session", oidcauth.Revocation{SessionID: "login-1"}, nil, oidcauth.ErrRevoked},
		{"another login session", oidcauth.Revocation{SessionID: "login-2"}, nil, nil},
		{"subject", oidcauth.Revocation{Subject: "alice"}, nil, oidcauth.ErrRevoked},
		{"another subject", oidcauth.Revocation{Subject: "bob"}, nil, nil},
		{"issuer", oidcauth.Revocation{Issuer: id, IssuedBefore: at.Add(1)}, nil, oidcauth.ErrRevoked},
		{"issuer by its alias", oidcauth.Revocation{Issuer: "alias.test", IssuedBefore: at.Add(1)}, nil, oidcauth.ErrRevoked},
		{"issuer, token under its alias", oidcauth.Revocation{Issuer: id, IssuedBefore: at.Add(1)}, map[string]any{"iss": "alias.test"}, oidcauth.ErrRevoked},
		{"another issuer", oidcauth.Revocation{Issuer: "https://other.test", IssuedBefore: at.Add(1)}, nil, nil},
		{"key", oidcauth.Revocation{KeyID: "issuer.test-1"}, nil, oidcauth.ErrRevoked},
		{"another key", oidcauth.Revocation{KeyID: "issuer.test-2"}, nil, nil},
		{"issued before a later time", oidcauth.Revocation{IssuedBefore: at.Add(1)}, nil, oidcauth.ErrRevoked},
		{"issued at that time", oidcauth.Revocation{IssuedBefore: at}, nil, nil},
		{"no time of issue", oidcauth.Revocation{IssuedBefore: at.Add(-time.Hour)}, map[string]any{"iat": nil}, oidcauth.ErrRevoked},
		{"all agree", oidcauth.Revocation{Issuer: id, Subject: "alice", SessionID: "login-1", TokenID: "token-1", KeyID: "issuer.test-1", IssuedBefore: at.Add(1)}, nil, oidcauth.ErrRevoked},
		{"all but the issuer", oidcauth.Revocation{Issuer: "https://other.test", Subject: "alice", TokenID: "token-1"}, nil, nil},
		{"all but the subject", oidcauth.Revocation{Subject: "bob", TokenID: "token-1"}, nil, nil},
		{"all but the key", oidcauth.Revocation{KeyID: "x", TokenID: "token-1"}, nil, nil},
		{"all but the time", oidcauth.Revocation{IssuedBefore: at, TokenID: "token-1"}, nil, nil},
		{"session ID and none in the token", oidcauth.Revocation{SessionID: "login-1", Subject: "alice"}, map[string]any{"sid": nil}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{Now: func() time.Time { return at }})
			trusted.Aliases = []string{"alias.test"}
			cfg := oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted, {URL: "https://other.test", Audiences: []string{"x"}}}}
			a := newAuthenticator(t, cfg)
			claims := map[string]any{"jti": "token-1", "sid": "login-1"}
			for name, value := range tt.change {
				claims[name] = value
			}
			cached := issuer.Token(claims)
			claims["nonce"] = "2"
			fresh := issuer.Token(claims)
			s := a.NewSession(t.Context(), authenticate(t, a, cached))
			revoke(t, a, tt.revocation)
			for range 2 {
				for _, token := range []string{cached, fresh} {
					if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
						t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
					}
				}
			}
			if ended := s.Context().Err() != nil; ended != (tt.want != nil) {
				t.Errorf("session ended: %v", ended)
			}
			report := a.Explain(t.Context(), cached)
			last := report.Steps[len(report.Steps)-1]
			if !errors.Is(report.Err, tt.want) || last.Check != "revocation" || (last.Verdict == explain.Passed) != (tt.want == nil) {
				t.Errorf("Explain() = %v, %+v", report.Err, last)
			}
		})
	}
}

func TestRevoke_Refused(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for name, r := range map[string]oidcauth.Revocation{
		"empty":            {},
		"nothing but end":  {Until: time.Now().Add(time.Hour)},
		"over":             {Subject: "alice", Until: time.Now()},
		"issuer not known": {Issuer: "https://stranger.test", Subject: "alice"},
		"an issuer alone":  {Issuer: issuer.URL(), TokenID: ""},
	} {
		err := a.Revoke(t.Context(), r)
		if status, _, _ := oidcauth.Answer(err); !errors.Is(err, oidcauth.ErrMalformedRequest) || status != http.StatusBadRequest {
			t.Errorf("%s: Revoke() error = %v with status %d, want %v", name, err, status, oidcauth.ErrMalformedRequest)
		}
	}
	if n := a.RevocationCount(); n != 0 {
		t.Errorf("%d revocations are held", n)
	}
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	a.Close()
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Revoke() error = %v, want %v", err, oidcauth.ErrClosed)
	}
}

// Revocations end when they say or when no token of their time is left, and
// leave by themselves; what a new one makes superfluous leaves at once.
func TestRevoke_Until(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		lifetime time.Duration
		until    time.Duration // of the revocation
		holds    time.Duration
	}{
		{"as it says", 0, time.Hour, time.Hour},
		{"as long as tokens live", time.Hour, 0, time.Hour + 90*time.Second},
		{"a year", 0, 0, 365 * 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: tt.lifetime})
				start := time.Now()
				r := oidcauth.Revocation{Subject: "alice"}
				if tt.until != 0 {
					r.Until = start.Add(tt.until)
				}
				revoke(t, a, r)
				revoke(t, a, r)
				token := func() string { return issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()}) }
				time.Sleep(tt.holds - 1)
				if _, err := a.Authenticate(t.Context(), token()); !errors.Is(err, oidcauth.ErrRevoked) {
					t.Errorf("just before its end: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
				}
				if n := a.RevocationCount(); n != 1 {
					t.Errorf("%d revocations are held, want 1", n)
				}
				time.Sleep(time.Nanosecond)
				if _, err := a.Authenticate(t.Context(), token()); err != nil {
					t.Errorf("at its end: Authenticate() error = %v", err)
				}
				synctest.Wait()
				if n := a.RevocationCount(); n != 0 {
					t.Errorf("%d revocations hold at the end, want none", n)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := a.RevocationsKept(); n != 0 {
					t.Errorf("%d revocations are kept a minute later, want none", n)
				}
			})
		})
	}
}

// Whoever has stolen a key signs with it as late as they like: it is refused for good,
// however short tokens live, unless its revocation says when that ends, or is of one token
// or login session that it has signed.
func TestRevoke_KeyForGood(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		until      time.Duration
		token, sid string
		want       error
	}{
		"for good":     {want: oidcauth.ErrRevoked},
		"as it says":   {until: 24 * time.Hour},
		"of one token": {token: "one"},
		"of a sign-in": {sid: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: time.Hour})
				r := oidcauth.Revocation{Issuer: issuer.URL(), KeyID: issuer.Key().ID(), TokenID: tt.token, SessionID: tt.sid}
				if tt.until != 0 {
					r.Until = time.Now().Add(tt.until)
				}
				revoke(t, a, r)
				for _, want := range []error{oidcauth.ErrRevoked, tt.want} {
					token := issuer.Token(map[string]any{"jti": "one", "sid": "one"})
					if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
						t.Errorf("at %v: Authenticate() error = %v, want %v", time.Now(), err, want)
					}
					time.Sleep(10 * 365 * 24 * time.Hour)
				}
			})
		})
	}
}

// A revocation of a local token lasts as long as the longest that the issuer has
// ever issued, also when it issues shorter ones now.
func TestRevoke_LocalTokensOfYears(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	for name, now := range map[string]localissuer.Config{
		"configured as it was": {MaxLifetime: 3 * year},
		"shorter tokens since": {MaxLifetime: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(authtest.Clock)
			now.Dir, now.Now = filepath.Join(t.TempDir(), "keys"), clock.Now
			before := newLocal(t, localissuer.Config{Dir: now.Dir, MaxLifetime: 3 * year})
			token, _, err := before.Issue(t.Context(), localissuer.Request{Subject: "alice", Lifetime: 2 * year})
			if err != nil {
				t.Fatal(err)
			}
			before.Close()
			local := newLocal(t, now)
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}, Now: clock.Now})
			wants(t, a, token, nil)
			revoke(t, a, oidcauth.Revocation{Subject: "alice"})
			for _, passed := range []time.Duration{0, year + time.Hour, 2*year - time.Minute} {
				clock.Set(passed)
				wants(t, a, token, oidcauth.ErrRevoked)
			}
		})
	}
}

// A token counts as issued before by what it says, which is the issuer's clock in
// whole seconds.
func TestRevoke_IssuedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(500 * time.Millisecond)
		issuer, trusted := newIssuer(t, oidctest.Config{})
		now := time.Now()
		tests := []struct {
			name   string
			before time.Duration // from now
			iat    time.Duration
			want   error
		}{
			{"clock right, before", 0, -time.Second, oidcauth.ErrRevoked},
			{"later in the same second", 0, 300 * time.Millisecond, oidcauth.ErrRevoked},
			{"a second later", 0, time.Second, nil},
			{"clock ahead, missed", 0, 25 * time.Second, nil},
			{"clock ahead, leeway added", 30 * time.Second, 25 * time.Second, oidcauth.ErrRevoked},
		}
		for _, tt := range tests {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: now.Add(tt.before)})
			token := issuer.Token(map[string]any{"iat": now.Add(tt.iat).Unix()})
			if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
			}
			a.Close()
		}
		// Whoever signs in again when the leeway has passed is welcome.
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: now.Add(30 * time.Second)})
		time.Sleep(31 * time.Second)
		wants(t, a, issuer.Token(map[string]any{"iat": time.Now().Unix()}), nil)
		a.Close()
	})
}

// A subject that logs out again and again takes the space of one revocation.
func TestRevoke_Supersedes(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	start := time.Now()
	token := issuer.Token(map[string]any{"iat": start.Unix()})
	for i := range 100 {
		revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: start.Add(time.Duration(i-50) * time.Minute)})
	}
	revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: start.Add(-time.Hour), Until: start.Add(time.Hour)})
	if n := a.RevocationCount(); n != 1 {
		t.Errorf("%d revocations are held, want 1", n)
	}
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	for i := range 1000 {
		revoke(t, a, oidcauth.Revocation{TokenID: fmt.Sprint(i), Until: time.Now().Add(time.Minute)})
	}
	if n := a.RevocationCount(); n != 1001 {
		t.Errorf("%d revocations are held, want 1001", n)
	}
}

// A revocation is the same after it was written and read again, or logs could not
// tell whether they have it.
func TestRevocation_JSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log := newMemoryLog()
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
		here := time.FixedZone("here", 3600)
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: "alice", SessionID: "s", TokenID: "t", KeyID: "k", IssuedBefore: time.Now().Add(123456789).In(here), EndedAt: time.Now().Add(12345678).In(here)})
		revoke(t, a, oidcauth.Revocation{Subject: "alice"})
		for _, r := range log.Entries() {
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var back oidcauth.Revocation
			if err := json.Unmarshal(text, &back); err != nil || back != r {
				t.Errorf("%s reads as %+v, %v, want %+v", text, back, err, r)
			}
		}
		if n := len(log.Entries()); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
		a.Close()
	})
}

// The machinery of revocations writes and reads the same form, in the directory
// of those that wait.
func TestRevocation_SameForm(t *testing.T) {
	t.Parallel()
	public, inner := reflect.TypeFor[oidcauth.Revocation](), reflect.TypeFor[revoked.Revocation]()
	for n := range public.NumField() {
		if a, b := public.Field(n), inner.Field(n); a.Name != b.Name || a.Tag != b.Tag {
			t.Errorf("%s is %q, in the machinery %s is %q", a.Name, a.Tag, b.Name, b.Tag)
		}
	}
}

// A revocation of what is issued until some time to come is kept until all of that
// has expired, too.
func TestRevoke_IssuedBeforeAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, time.Minute, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: time.Hour})
			until := time.Now().Add(ahead)
			revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: until})
			time.Sleep(ahead - time.Second) // not at all without ahead
			issued := min(time.Now().Unix(), until.Unix()-1)
			last := issuer.Token(map[string]any{"iat": issued, "exp": issued + 3600})
			for range 59 {
				wants(t, a, last, oidcauth.ErrRevoked)
				time.Sleep(time.Minute)
			}
			wants(t, a, issuer.Token(nil), nil)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if n := a.RevocationsKept(); n != 0 {
				t.Errorf("%v ahead: %d revocations are kept when all that they match has expired, want none", ahead, n)
			}
			a.Close()
		})
	}
	t.Run("for ever", func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log := newMemoryLog()
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
		revoke(t, a, oidcauth.Revocation{Subject: "alice", IssuedBefore: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)})
		wants(t, a, issuer.Token(nil), oidcauth.ErrRevoked)
		if _, err := json.Marshal(log.Entries()); err != nil {
			t.Errorf("Marshal() error = %v", err)
		}
	})
}

// A token that does not say when it was issued may be of any age. One that was too
// long for its revocation is not short enough in its last hour.
func TestMaxTokenLifetime_Undated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		local := newLocal(t, localissuer.Config{NoExpiry: true})
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: time.Hour}
		a := newAuthenticator(t, cfg)
		cfg.MaxTokenLifetime = 0
		unbounded := newAuthenticator(t, cfg)
		undated := issuer.Token(map[string]any{"iat": nil, "exp": time.Now().Add(10 * time.Hour).Unix()})
		dated := issuer.Token(map[string]any{"exp": time.Now().Add(10 * time.Hour).Unix()})
		revoke(t, a, oidcauth.Revocation{Subject: "alice"})
		wants(t, unbounded, undated, nil)
		for range 10 {
			wants(t, a, undated, oidcauth.ErrClaim)
			wants(t, a, dated, oidcauth.ErrClaim)
			time.Sleep(time.Hour)
		}
		wants(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()}), nil)
		// Revocations are kept for as long as anybody lives where tokens never expire.
		cfg.Issuers, cfg.MaxTokenLifetime = []oidcauth.Issuer{local.Issuer()}, time.Hour
		wants(t, newAuthenticator(t, cfg), issue(t, local, localissuer.Request{NoExpiry: true}), nil)
		a.Close()
	})
}

func TestMaxTokenLifetime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := []struct {
		name        string
		issued, exp time.Duration // from now; no time of issue if zero
		want        error
	}{
		{"an hour", -1 * time.Second, time.Hour - time.Second, nil},
		{"an hour and leeway", -1 * time.Second, time.Hour + 28*time.Second, nil},
		{"two hours, one is left", -time.Hour, time.Hour, oidcauth.ErrClaim},
		{"two hours", -1 * time.Second, 2 * time.Hour, oidcauth.ErrClaim},
		{"an hour, time of issue unknown", 0, time.Hour, oidcauth.ErrClaim},
		{"two hours, time of issue unknown", 0, 2 * time.Hour, oidcauth.ErrClaim},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: time.Hour})
			claims := map[string]any{"exp": now.Add(tt.exp).Unix(), "iat": nil}
			if tt.issued != 0 {
				claims["iat"] = now.Add(tt.issued).Unix()
			}
			if _, err := a.Authenticate(t.Context(), issuer.Token(claims)); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
			}
		})
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), MaxTokenLifetime: -1}
	if _, err := oidcauth.New(cfg); err == nil {
		t.Error("New() accepts a negative MaxTokenLifetime")
	}
}

// "sub" is revoked where it is not the subject, too: however a token writes it,
// before the token comes and after, for sessions, for remembered tokens, and for
// what a ticket gives back.
func TestRevoke_SubjectClaim(t *testing.T) {
	t.Parallel()
	spellings := map[string]string{
		"plain":         `"sub":"alice"`,
		"escaped value": `"sub":"al\u0069ce"`,
		"escaped name":  `"s\u0075b":"alice"`,
		"beside others": `"":"x","ub":"bob","xsub":"bob","\"sub":"bob","sub":"alice"`,
		"far away":      `"x":"` + strings.Repeat("x", 1<<16) + `","sub":"alice"`,
	}
	revocations := []struct {
		name    string
		subject string
		want    error
	}{
		{"sub", "alice", oidcauth.ErrRevoked},
		{"subject", "object-1", oidcauth.ErrRevoked},
		{"somebody else", "bob", nil},
	}
	for name, spelling := range spellings {
		for _, tt := range revocations {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					trusted.Subject = []oidcauth.Path{{"oid"}}
					local := newLocal(t, localissuer.Config{})
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), MaxTokenBytes: 1 << 20,
					})
					token := func(id string) string {
						return issuer.Sign(nil, fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"iat":%d,"oid":"object-1","jti":%q,%s}`,
							issuer.URL(), testAudience, time.Now().Add(time.Hour).Unix(), time.Now().Unix(), id, spelling))
					}
					remembered, later := token("remembered"), token("later")
					c := authenticate(t, a, remembered)
					s := a.NewSession(t.Context(), c)
					var tickets [2]string
					for i := range tickets {
						var err error
						if tickets[i], err = local.Ticket(from(), c, localissuer.AnyDatabase); err != nil {
							t.Fatal(err)
						}
					}
					fromTicket, err := a.AuthenticateTicket(from(), tickets[0], localissuer.AnyDatabase)
					if err != nil {
						t.Fatal(err)
					}
					if sub, _ := fromTicket.LookupString("sub"); sub != "alice" || fromTicket.Subject() != "object-1" {
						t.Errorf("the ticket gives sub %q, subject %q", sub, fromTicket.Subject())
					}
					second := a.NewSession(t.Context(), fromTicket)

					revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: tt.subject})
					expectEnd(t, s, tt.want)
					expectEnd(t, second, tt.want)
					wants(t, a, remembered, tt.want)
					wants(t, a, later, tt.want)
					if _, err := a.AuthenticateTicket(from(), tickets[1], localissuer.AnyDatabase); !errors.Is(err, tt.want) {
						t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
					}
				})
			})
		}
	}
}

// What has no form in JSON cannot be shared as it is: it would wait for ever, or be of
// somebody else at the other servers and after a restart.
func TestRevoke_Unwritable(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	log := newMemoryLog()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log})
	year := func(y int) time.Time { return time.Date(y, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)) }
	for _, tt := range []struct {
		name      string
		bad, good oidcauth.Revocation
	}{
		{"issuer", oidcauth.Revocation{Issuer: issuer.URL() + "\xff", TokenID: "a"}, oidcauth.Revocation{Issuer: issuer.URL(), TokenID: "a"}},
		{"subject", oidcauth.Revocation{Subject: "al\xff"}, oidcauth.Revocation{Subject: "al\ufffd"}},
		{"session", oidcauth.Revocation{SessionID: "s\xc3"}, oidcauth.Revocation{SessionID: "s\u00c3"}},
		{"token", oidcauth.Revocation{TokenID: "\xed\xa0\x80"}, oidcauth.Revocation{TokenID: "\x00"}},
		{"key", oidcauth.Revocation{KeyID: "\x80"}, oidcauth.Revocation{KeyID: "\u0080"}},
		{"a late end", oidcauth.Revocation{Subject: "carol", Until: year(9999)}, oidcauth.Revocation{Subject: "carol", Until: year(9998)}},
		{"issued before a late time", oidcauth.Revocation{Subject: "dave", IssuedBefore: year(9999)}, oidcauth.Revocation{Subject: "dave", IssuedBefore: year(9998)}},
		{"issued before an early time", oidcauth.Revocation{Subject: "eve", IssuedBefore: year(-2)}, oidcauth.Revocation{Subject: "eve", IssuedBefore: year(-1)}},
		{"ended at a late time", oidcauth.Revocation{Subject: "frank", EndedAt: year(9999)}, oidcauth.Revocation{Subject: "frank", EndedAt: year(9998)}},
	} {
		kept, shared := a.RevocationsKept(), len(log.Entries())
		if err := a.Revoke(t.Context(), tt.bad); !errors.Is(err, oidcauth.ErrMalformedRequest) {
			t.Errorf("%s: Revoke() error = %v, want %v", tt.name, err, oidcauth.ErrMalformedRequest)
		}
		if a.RevocationsKept() != kept || len(log.Entries()) != shared {
			t.Errorf("%s: it holds, or is shared, all the same", tt.name)
		}
		if err := a.Revoke(t.Context(), tt.good); err != nil {
			t.Errorf("%s: Revoke() error = %v of its twin", tt.name, err)
		}
	}
	if _, err := json.Marshal(log.Entries()); err != nil {
		t.Errorf("Marshal() error = %v of what is shared", err)
	}
}
