package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A countedSource is a KeySource that counts its followers.
type countedSource struct {
	oidcauth.KeySource
	following, began atomic.Int32
}

func (s *countedSource) Follow(adopt func(oidcauth.Keys) error) (func(), error) {
	stop, err := s.KeySource.Follow(adopt)
	if err != nil {
		return nil, err
	}
	s.following.Add(1)
	s.began.Add(1)
	return func() { s.following.Add(-1); stop() }, nil
}

// The server's own issuer goes through changes of the others, and of its own
// description, with the source that it has; and leaves it when it is removed.
func TestSetIssuers_KeySource(t *testing.T) {
	l := newLocal(t, localissuer.Config{NoExpiry: true})
	issuer, trusted := newIssuer(t, oidctest.Config{})
	own := l.Issuer()
	source := &countedSource{KeySource: own.Keys.Source}
	own.Keys.Source = source
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{own}, Client: issuer.Client()})
	endless := issue(t, l, localissuer.Request{NoExpiry: true})
	s := a.NewSession(t.Context(), authenticate(t, a, endless))
	ticket, err := l.Ticket(byProgram(), authenticate(t, a, endless), localissuer.AnyDatabase)
	if err != nil {
		t.Fatal(err)
	}
	setIssuers(t, a, trusted, own)
	refuses(t, a, endless, nil)
	changed := own
	changed.Roles = []oidcauth.Path{{"x"}}
	setIssuers(t, a, changed, trusted)
	refuses(t, a, endless, nil)
	if n := source.began.Load(); n != 1 {
		t.Errorf("the source was followed %d times, want once", n)
	}
	if err := l.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuses(t, a, issue(t, l, localissuer.Request{}), nil)
	if _, err := a.AuthenticateTicket(byProgram(), ticket, localissuer.AnyDatabase); err != nil {
		t.Errorf("AuthenticateTicket() error = %v", err)
	}
	expectCause(t, s, nil)
	setIssuers(t, a, trusted)
	expectCause(t, s, oidcauth.ErrUnknownIssuer)
	if n := source.following.Load(); n != 0 {
		t.Errorf("%d follow the source of an issuer that was removed", n)
	}
	refuses(t, a, endless, oidcauth.ErrUnknownIssuer)

	// A used ticket stays used, and an endless token's revocation stays as long as it.
	setIssuers(t, a, own)
	if _, err := a.AuthenticateTicket(byProgram(), ticket, localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrTicketUsed) {
		t.Errorf("AuthenticateTicket() again: error = %v, want %v", err, oidcauth.ErrTicketUsed)
	}
	setIssuers(t, a, trusted)
	revoke(t, a, oidcauth.Revocation{Subject: s.Claims().Subject()})
	if until := a.RevokedUntil(); until.Before(time.Now().AddDate(50, 0, 0)) {
		t.Errorf("a revocation ends at %v, while tokens of an issuer that was removed have no end", until)
	}
	setIssuers(t, a, own)
	refuses(t, a, endless, oidcauth.ErrRevoked)
}

// byProgram returns a request as programs other than browsers make it.
func byProgram() *http.Request { return httptest.NewRequest(http.MethodPost, "/", nil) }

// expectCause is expectEnd outside of a bubble: the session has ended, or not.
func expectCause(t *testing.T, s *oidcauth.Session, want error) {
	t.Helper()
	if cause := context.Cause(s.Context()); !errors.Is(cause, want) {
		t.Errorf("session ended with %v, want %v", cause, want)
	}
}

// A ticket is judged by the description of when it is used, its token's type included,
// and none is sold for a token that would be refused by now.
func TestSetIssuers_Ticket(t *testing.T) {
	l := newLocal(t, localissuer.Config{})
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.TokenTypes = []string{"JWT", "at+jwt"}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer(), trusted}, Client: issuer.Client()})
	token := typed(issuer, "at+jwt", nil)
	narrow := trusted
	narrow.TokenTypes = []string{"JWT"}
	for _, tt := range []struct {
		name    string
		issuers []oidcauth.Issuer
		want    error
	}{
		{"the same", []oidcauth.Issuer{l.Issuer(), trusted}, nil},
		{"the type is accepted no more", []oidcauth.Issuer{l.Issuer(), narrow}, oidcauth.ErrTokenType},
		{"the issuer is gone", []oidcauth.Issuer{l.Issuer()}, oidcauth.ErrUnknownIssuer},
		{"the seller is gone", []oidcauth.Issuer{trusted}, oidcauth.ErrUnknownIssuer},
	} {
		setIssuers(t, a, l.Issuer(), trusted)
		claims := authenticate(t, a, token)
		ticket, err := l.Ticket(byProgram(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatalf("Ticket() error = %v", err)
		}
		setIssuers(t, a, tt.issuers...)
		if _, err := a.AuthenticateTicket(byProgram(), ticket, localissuer.AnyDatabase); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateTicket() error = %v, want %v", tt.name, err, tt.want)
		}
		if len(tt.issuers) == 1 && tt.issuers[0].URL == trusted.URL {
			continue // whoever has no seller asks none
		}
		if _, err := l.Ticket(byProgram(), claims, localissuer.AnyDatabase); !errors.Is(err, tt.want) {
			t.Errorf("%s: Ticket() for claims of before: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A ticket goes by the description that its token was accepted by.
func TestDescriptions_Ticket(t *testing.T) {
	l := newLocal(t, localissuer.Config{})
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	people := oidcauth.Issuer{URL: issuer.URL(), Name: "people", Audiences: []string{testAudience}, Roles: []oidcauth.Path{{"people"}}}
	machines := people
	machines.Name, machines.TokenTypes, machines.Roles = "machines", []string{"at+jwt"}, []oidcauth.Path{{"machines"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer(), people, machines}, Client: issuer.Client()})
	for typ, name := range map[string]string{"JWT": "people", "at+jwt": "machines"} {
		claims := authenticate(t, a, typed(issuer, typ, map[string]any{"people": "people", "machines": "machines"}))
		ticket, err := l.Ticket(byProgram(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := a.AuthenticateTicket(byProgram(), ticket, localissuer.AnyDatabase); err != nil || c.Description() != name || !c.HasRole(name) {
			t.Errorf("a ticket for a token by %q: error = %v", name, err)
		}
	}
}

// What a directory keeps of an issuer that was removed counts for no more than after a
// restart: until the issuer has been asked.
func TestSetIssuers_KeyCacheDir(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: dir})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(100 * time.Hour)})
		refuses(t, a, token, nil)
		setIssuers(t, a)
		refuses(t, a, token, oidcauth.ErrUnknownIssuer)
		elsewhere := trusted
		elsewhere.Keys.JWKSURL = "https://elsewhere.test/"
		setIssuers(t, a, elsewhere)
		refuses(t, a, token, oidcauth.ErrKeysUnavailable)
		setIssuers(t, a)
		issuer.Replace()
		setIssuers(t, a, trusted)
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		refuses(t, a, issuer.Token(nil), nil)
		refuses(t, a, token, oidcauth.ErrUnknownKey)
		setIssuers(t, a)
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		time.Sleep(25 * time.Hour)
		setIssuers(t, a, trusted)
		refuses(t, a, issuer.Token(nil), oidcauth.ErrKeysUnavailable)
	})
}

// Each field of a description is compared: a change of any one is noticed.
func TestSetIssuers_EachField(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token, taken := issuer.Token(nil), 0
	for i := range reflect.TypeFor[oidcauth.Issuer]().NumField() {
		field := reflect.TypeFor[oidcauth.Issuer]().Field(i)
		setIssuers(t, a, trusted)
		before := authenticate(t, a, token)
		changed := trusted
		if field.Name == "Rules" {
			changed.Rules = []oidcauth.Rule{oidcauth.HasAudience(testAudience)}
		} else {
			vary(reflect.ValueOf(&changed).Elem().Field(i))
		}
		if err := a.SetIssuers(changed); err != nil {
			continue // nobody can be made to overlook it
		}
		taken++
		if c, err := a.Authenticate(t.Context(), token); err == nil && c == before {
			t.Errorf("a change of %s is not noticed", field.Name)
		}
	}
	if taken < 8 {
		t.Errorf("%d fields could be changed, want most", taken)
	}
}

// vary makes another value of one, deep down.
func vary(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + int64(time.Second))
	case reflect.Uint8:
		v.SetUint(v.Uint() + 'a')
	case reflect.Slice:
		one := reflect.New(v.Type().Elem()).Elem()
		vary(one)
		v.Set(reflect.Append(v.Slice3(0, v.Len(), v.Len()), one))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value {
			return []reflect.Value{reflect.Zero(v.Type().Out(0)), reflect.Zero(v.Type().Out(1))}
		}))
	case reflect.Struct:
		for i := range v.NumField() {
			vary(v.Field(i))
			return
		}
	}
}

// Keys that come from elsewhere and are in hand decide at once: whether the key that
// signed a session's token is among them, by what it is and not by its name.
func TestSetIssuers_OtherKeys(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	other := oidctest.NewIssuer(t, oidctest.Config{URL: "https://issuer.test"}) // with keys of the same IDs
	trusted.Keys.JWKS = issuer.KeySet()
	for _, tt := range []struct {
		name string
		keys func(*oidctest.Issuer) json.RawMessage
		want error
	}{
		{"the same key, and another beside it", func(o *oidctest.Issuer) json.RawMessage {
			issuer.Publish(issuer.NewKey(oidctest.KeyConfig{ID: "new"}))
			return issuer.KeySet()
		}, nil},
		{"another key by the same ID", func(o *oidctest.Issuer) json.RawMessage { return o.KeySet() }, oidcauth.ErrUnknownKey},
		{"the same key by another ID", func(o *oidctest.Issuer) json.RawMessage {
			o.RemoveKeys()
			o.AddJWK(issuer.Key().WithID("x").JWK())
			return o.KeySet()
		}, oidcauth.ErrUnknownKey},
	} {
		for _, named := range []bool{true, false} {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
			header, want := map[string]any{}, tt.want
			if !named {
				header["kid"] = nil
				if tt.name == "the same key by another ID" {
					want = nil // no token says otherwise
				}
			}
			token := issuer.Sign(header, map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix()})
			s := a.NewSession(t.Context(), authenticate(t, a, token))
			changed := trusted
			changed.Keys.JWKS = tt.keys(other)
			setIssuers(t, a, changed)
			t.Run(fmt.Sprint(tt.name, ", named: ", named), func(t *testing.T) { expectCause(t, s, want) })
		}
	}
}

// A ticket that is used while the issuers change gives nothing by what was before.
func TestSetIssuers_WhileTicketIsUsed(t *testing.T) {
	l := newLocal(t, localissuer.Config{})
	issuer, trusted := newIssuer(t, oidctest.Config{})
	began, goOn, slow := make(chan struct{}, 10), make(chan struct{}), atomic.Bool{}
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
		if slow.Load() {
			began <- struct{}{}
			<-goOn
		}
		return nil
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer(), trusted}, Client: issuer.Client()})
	ticket, err := l.Ticket(byProgram(), authenticate(t, a, issuer.Token(nil)), localissuer.AnyDatabase)
	if err != nil {
		t.Fatal(err)
	}
	slow.Store(true)
	result := make(chan error)
	go func() {
		_, err := a.AuthenticateTicket(byProgram(), ticket, localissuer.AnyDatabase)
		result <- err
	}()
	<-began
	setIssuers(t, a, l.Issuer())
	close(goOn)
	if err := <-result; !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

// A saidSource says the same keys for ever.
type saidSource struct{ keys oidcauth.Keys }

func (s *saidSource) Follow(adopt func(oidcauth.Keys) error) (func(), error) {
	return func() {}, adopt(s.keys)
}
func (s *saidSource) Refresh() {}

// A session whose token has no key ID goes on only if its key may still sign such.
func TestSetIssuers_WithoutKeyID(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	keys := oidcauth.Keys{Issuer: trusted.URL, JWKS: issuer.KeySet(), WithoutKeyID: []string{issuer.Key().ID()}}
	trusted.Keys.Source = &saidSource{keys}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	token := issuer.Sign(map[string]any{"kid": nil}, map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix()})
	s := a.NewSession(t.Context(), authenticate(t, a, token))
	trusted.Keys.Source = &saidSource{keys} // another, that says the same
	setIssuers(t, a, trusted)
	expectCause(t, s, nil)
	keys.WithoutKeyID = nil
	trusted.Keys.Source = &saidSource{keys}
	setIssuers(t, a, trusted)
	expectCause(t, s, oidcauth.ErrUnknownKey)
}

// What a source's first keys say of tokens without expiry counts, whatever it says later
// and however its issuer is described anew.
func TestSetIssuers_NoExpiry(t *testing.T) {
	t.Parallel()
	for _, granted := range []bool{false, true} {
		issuer, trusted, source := newHandSource(t)
		source.keys.NoExpiry = granted
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, CacheBytes: -1})
		token, want := issuer.Token(map[string]any{"exp": nil}), oidcauth.ErrClaim
		if granted {
			want = nil
		}
		wants(t, a, token, want)
		source.keys.NoExpiry = !granted
		if err := source.adopt(source.keys); err != nil {
			t.Fatal(err)
		}
		wants(t, a, token, want)
		trusted.Audiences = append(trusted.Audiences, "another")
		if err := a.SetIssuers(trusted); err != nil {
			t.Fatal(err)
		}
		wants(t, a, token, want)
	}
}

// What supplements a token goes on counting, for as long as it did, by the description
// of now; and a session about whose token nobody was asked does not go on where
// somebody is to be.
func TestSetIssuers_Supplement(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	plain := trusted
	var asked atomic.Int32
	trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
		asked.Add(1)
		return json.RawMessage(`{"roles":["one"],"groups":["two"]}`), nil
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	s := a.NewSession(t.Context(), authenticate(t, a, token))
	trusted.Roles = []oidcauth.Path{{"groups"}}
	setIssuers(t, a, trusted)
	if expectCause(t, s, nil); !s.Claims().HasRole("two") || s.Claims().HasRole("one") || asked.Load() != 1 {
		t.Errorf("asked %d times, roles by the description of before: %v", asked.Load(), s.Claims().HasRole("one"))
	}
	setIssuers(t, a, plain)
	if expectCause(t, s, nil); s.Claims().HasRole("one") || s.Claims().HasRole("two") {
		t.Error("the session has roles that nobody supplies any more")
	}
	refuses(t, a, token, nil)
	setIssuers(t, a, trusted)
	expectCause(t, s, oidcauth.ErrAnswerUnavailable)
	refuses(t, a, token, nil)
}

// BenchmarkSetIssuers changes one of a thousand issuers while ten thousand sessions
// live under the others, or under that one.
func BenchmarkSetIssuers(b *testing.B) {
	const count, live = 1000, 10_000
	issuer, trusted := newIssuer(b, oidctest.Config{URL: "https://issuer.test"})
	for name, changing := range map[string]bool{"others change": false, "all sessions are judged anew": true} {
		b.Run(name, func(b *testing.B) {
			list := make([]oidcauth.Issuer, count)
			for n := range list {
				list[n] = trusted
				list[n].Keys.JWKS = issuer.KeySet()
				list[n].URL = fmt.Sprintf("https://issuer-%d.test", n)
			}
			a := newAuthenticator(b, oidcauth.Config{Issuers: list})
			claims := authenticate(b, a, issuer.Token(map[string]any{"iss": list[1].URL}))
			for range live {
				a.NewSession(b.Context(), claims)
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				changed := &list[0]
				if changing {
					changed = &list[1]
				}
				changed.Roles = []oidcauth.Path{{fmt.Sprint(n)}}
				setIssuers(b, a, list...)
			}
		})
	}
}

// Where the keys of one of several new issuers cannot be had nothing changes, and nobody
// goes on following the sources of the others.
func TestSetIssuers_SourceFails(t *testing.T) {
	t.Parallel()
	at := func(url string) (*oidctest.Issuer, oidcauth.Issuer, *handSource) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: url})
		source := &handSource{keys: oidcauth.Keys{Issuer: url, JWKS: issuer.KeySet()}}
		trusted.Keys.Source = source
		return issuer, trusted, source
	}
	_, inUse, used := at("https://used.test")
	good, first, source := at("https://first.test")
	_, bad, failing := at("https://bad.test")
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{inUse}})
	failing.err = errors.New("no keys")
	if err := a.SetIssuers(inUse, first, bad); !errors.Is(err, failing.err) {
		t.Errorf("SetIssuers() error = %v, want %v", err, failing.err)
	}
	refuses(t, a, good.Token(nil), oidcauth.ErrUnknownIssuer)
	if source.adopt == nil || source.stopped != 1 || used.stopped != 0 {
		t.Errorf("the source of the first is stopped %d times, that of the one in use %d, want 1 and 0", source.stopped, used.stopped)
	}
	failing.err = nil
	setIssuers(t, a, inUse, first, bad)
	refuses(t, a, good.Token(nil), nil)
	if source.stopped != 1 {
		t.Errorf("the source of the first is stopped %d times once its keys count, want 1", source.stopped)
	}
}
