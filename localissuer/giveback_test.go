package localissuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A ticket that is sold for a token of the issuer's own gives it back, to the byte
// and whatever key signed it, and nothing else gives anything back.
func TestTicket_GivesTokenBack(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	dir := filepath.Join(t.TempDir(), "keys")
	l, key := newLocal(t, localissuer.Config{NoExpiry: true, Dir: dir}), newKey(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, l.Issuer()}, Client: issuer.Client()})
	if _, err := l.Import(t.Context(), privatePEM(t, key)); err != nil {
		t.Fatal(err)
	}
	old := issue(t, l, localissuer.Request{NoExpiry: true})
	if err := l.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	own, foreign := issue(t, l, localissuer.Request{}), issuer.Token(nil)
	long := issue(t, l, localissuer.Request{Claims: map[string]any{"x": strings.Repeat("é", 5900)}}) // near Config.MaxTokenBytes
	imported := signAs(t, key, "JWT", `{ "iss":"localhost", "sub":"bob", "aud":["my-db"], "exp":null }`)
	for _, tt := range []struct {
		name          string
		claims, token string // the token that was verified, and the one that is said to be it
		want          string
	}{
		{"own", own, own, own},
		{"by a retired key", old, old, old},
		{"by an imported key", imported, imported, imported},
		{"as long as can be", long, long, long},
		{"another issuer's", foreign, foreign, ""},
		{"another of one's own", own, old, ""},
		{"no token", own, "", ""},
		{"no signature", own, own[:strings.LastIndexByte(own, '.')], ""},
		{"a header that is too long", own, strings.Repeat("A", 500) + own, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := ticket.Sell(l, authtest.From(), tt.token, authenticate(t, a, tt.claims), localissuer.AnyDatabase)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want != "" && strings.Contains(text, tt.want[strings.LastIndexByte(tt.want, '.'):]) {
				t.Error("the ticket shows the token")
			}
			checked, err := ticket.Check(a, authtest.From(), text, "chat")
			if err != nil || checked.Token != tt.want {
				t.Errorf("Check() gives back a token: %t, want %t, to the byte; error %v", checked.Token != "", tt.want != "", err)
			}
		})
	}
	t.Run("at another process", func(t *testing.T) {
		text, err := ticket.Sell(l, authtest.From(), own, authenticate(t, a, own), localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := ticket.Check(trusting(t, newLocal(t, localissuer.Config{NoExpiry: true, Dir: dir})), authtest.From(), text, "chat")
		if err != nil || checked.Token != own {
			t.Errorf("Check() gives back the token: %t, error %v", checked.Token == own, err)
		}
	})
	plain, err := l.Ticket(authtest.From(), authenticate(t, a, own), localissuer.AnyDatabase)
	if err != nil {
		t.Fatal(err)
	}
	if checked, err := ticket.Check(a, authtest.From(), plain, "chat"); err != nil || checked.Token != "" {
		t.Errorf("a ticket of Issuer.Ticket gives back a token: %t, error %v", checked.Token != "", err)
	}
}

// A ticket that holds another issuer's token, so that its supplement can be asked
// for again, gives that back to nobody.
func TestTicket_KeepsForeignToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		l := newLocal(t, localissuer.Config{})
		asked := 0
		trusted.Supplement = func(_ context.Context, _ *oidcauth.Claims, token string) (json.RawMessage, error) {
			if token == "" {
				return nil, errors.New("no token to ask with")
			}
			asked++
			return json.RawMessage(`{"roles":["supplied"]}`), nil
		}
		trusted.AnswerAge = time.Second
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, l.Issuer()}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"aud": "my-db"})
		text, err := ticket.Sell(l, authtest.From(), token, authenticate(t, a, token), localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		checked, err := ticket.Check(a, authtest.From(), text, "chat")
		if err != nil || !checked.Claims.(*oidcauth.Claims).HasRole("supplied") || asked < 2 {
			t.Errorf("Check() = %v, %v, asked %d times, want the role, asked for again", checked.Claims, err, asked)
		}
		if checked.Token != "" {
			t.Error("the ticket gives back another issuer's token")
		}
	})
}

// A ticket is worth what its token is: the answer about that counts for it, too, for as
// long as answers do, and while nobody answers.
func TestTicket_ByTheAnswerAboutItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		l := newLocal(t, localissuer.Config{})
		asked, down := 0, false
		trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
			asked++
			if down {
				return nil, errors.New("down")
			}
			return json.RawMessage(`{"roles":["supplied"]}`), nil
		}
		trusted.AnswerAge = time.Minute
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, l.Issuer()}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"aud": "my-db"})
		sell := func() string {
			text, err := ticket.Sell(l, authtest.From(), token, authenticate(t, a, token), localissuer.AnyDatabase)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		time.Sleep(30 * time.Second)
		first := sell()
		time.Sleep(20 * time.Second)
		down = true
		checked, err := ticket.Check(a, authtest.From(), first, "chat")
		if err != nil {
			t.Fatalf("Check() error = %v, want none while the answer counts", err)
		}
		if !checked.Claims.(*oidcauth.Claims).HasRole("supplied") || asked != 1 {
			t.Errorf("Check() = %v, asked %d times, want the role by the first answer", checked.Claims, asked)
		}
		session := a.NewSession(t.Context(), checked.Claims.(*oidcauth.Claims))
		second := sell()
		time.Sleep(45 * time.Second) // the answer is over
		if _, err := ticket.Check(a, authtest.From(), second, "chat"); !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			t.Errorf("Check() error = %v once the answer is over, want %v", err, oidcauth.ErrAnswerUnavailable)
		}
		down = false
		time.Sleep(2 * time.Second)
		authenticate(t, a, token)
		time.Sleep(2 * time.Second)
		before := asked
		if err := oidcauth.Require(session.CallContext(), oidcauth.HasRole("supplied")); err != nil || asked != before {
			t.Errorf("Require() error = %v, asked %d times more, want none: another use of the token has asked", err, asked-before)
		}
	})
}

// What is only checked stays good, and is used once.
func TestTicket_CheckedAndUsed(t *testing.T) {
	l := newLocal(t, localissuer.Config{})
	a := trusting(t, l)
	text, err := l.Ticket(authtest.From(), authenticate(t, a, issue(t, l, localissuer.Request{})), "chat")
	if err != nil {
		t.Fatal(err)
	}
	first, err := ticket.Check(a, authtest.From(), text, "chat")
	if err != nil {
		t.Fatal(err)
	}
	second, err := ticket.Check(a, authtest.From(), text, "chat")
	if err != nil {
		t.Fatalf("Check() of what was checked: error = %v", err)
	}
	if err := first.Use(); err != nil {
		t.Errorf("Use() error = %v", err)
	}
	if err := second.Use(); err == nil {
		t.Error("Use() for the second time: error = nil")
	}
}
