package localissuer_test

import (
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// everythingIn returns a text, what its parts are as base64, and what the parts of
// those are, however deep.
func everythingIn(text string) string {
	all := text
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(`.",:{}[]`, r) }) {
		if plain, err := base64.RawURLEncoding.DecodeString(part); err == nil && len(part) > 8 {
			all += "\n" + everythingIn(string(plain))
		}
	}
	return all
}

// A ticket stands in an address, and addresses stand in logs: nothing of the
// original token can be read in it.
func TestTicket_KeepsToItself(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	token := c.Issuer.Token(map[string]any{
		"sub": "alice-1234", "email": "alice@example.com", "roles": []string{"surgeon"}, "sid": "session-77", "jti": "token-88",
	})
	ticket := c.Buy(token, at("chat", "https://app.example.com"))
	text := everythingIn(ticket)
	for _, want := range []string{"app.example.com", "chat", "localhost", "A256GCM"} { // which shows that one can see at all
		if !strings.Contains(text, want) {
			t.Errorf("%q does not stand in %s", want, text)
		}
	}
	for _, private := range []string{"alice", "surgeon", "session-77", "token-88", c.Issuer.URL(), c.Issuer.Key().ID()} {
		if strings.Contains(text, private) {
			t.Errorf("%q can be read in the ticket: %s", private, text)
		}
	}
	if claims, err := c.Use(ticket, at("chat", "https://app.example.com")); err != nil || claims.Subject() != "alice-1234" {
		t.Errorf("AuthenticateTicket() error = %v", err)
	}
}

// The largest token buys a ticket that is taken.
func TestTicket_Length(t *testing.T) {
	t.Parallel()
	const most = 16 << 10
	c := newCounter(t)
	payload := func(n int) map[string]any {
		return map[string]any{
			"iss": c.Issuer.URL(), "sub": "alice", "aud": testAudience, "exp": time.Now().Add(time.Hour).Unix(), "pad": strings.Repeat("<", n),
		}
	}
	n := 0
	for len(c.Issuer.Sign(nil, payload(n+512))) <= most {
		n += 512
	}
	token := c.Issuer.Sign(nil, payload(n))
	origin := "https://" + strings.Repeat("x", 500)
	database := strings.Repeat("\x01", 256)
	ticket := c.Buy(token, at(database, origin))
	if limit := len(token)*4/3 + 4<<10; len(ticket) > limit {
		t.Errorf("a token of %d bytes makes a ticket of %d, want at most %d", len(token), len(ticket), limit)
	}
	if _, err := c.Use(ticket, at(database, origin)); err != nil {
		t.Errorf("AuthenticateTicket() error = %v", err)
	}
	if _, err := c.Use(ticket+strings.Repeat("A", most), anywhere); !errors.Is(err, oidcauth.ErrMalformedToken) {
		t.Errorf("AuthenticateTicket() of a longer one: error = %v, want %v", err, oidcauth.ErrMalformedToken)
	}
}

// A ticket is good in every process that shares the key directory, before and
// after a rotation that one of them has not noticed, and after a restart.
func TestTicket_SharedDirectory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		dir := filepath.Join(t.TempDir(), "keys")
		process := func() *counter {
			local := newLocal(t, localissuer.Config{Dir: dir})
			return &counter{T: t, Issuer: issuer, Local: local, Auth: newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(),
			})}
		}
		here, there := process(), process()
		token := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		before := []string{here.Buy(token, anywhere), here.Buy(token, anywhere), here.Buy(token, anywhere)}
		if _, err := there.Use(before[0], anywhere); err != nil {
			t.Errorf("in another process: AuthenticateTicket() error = %v", err)
		}
		for range 2 {
			if err := there.Local.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := there.Use(before[1], anywhere); err != nil {
			t.Errorf("after two rotations: AuthenticateTicket() error = %v", err)
		}
		if _, err := there.Use(here.Buy(token, anywhere), anywhere); err != nil {
			t.Errorf("bought where they were not noticed: AuthenticateTicket() error = %v", err)
		}
		if _, err := here.Use(there.Buy(token, anywhere), anywhere); err != nil {
			t.Errorf("used where they were not noticed: AuthenticateTicket() error = %v", err)
		}
		again := process()
		if _, err := again.Use(before[2], anywhere); err != nil {
			t.Errorf("after a restart: AuthenticateTicket() error = %v", err)
		}
	})
}

// With an external signer, those who share the secret share the tickets.
func TestTicket_SharedSecret(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	key := newKey(t)
	process := func(secret string) *counter {
		local := newLocal(t, localissuer.Config{Signer: key, TicketSecret: []byte(secret)})
		return &counter{T: t, Issuer: issuer, Local: local, Auth: newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(),
		})}
	}
	one, two := said.NewSecret("secret of tickets"), said.NewSecret("secret of tickets")
	for _, tt := range []struct {
		name      string
		buy, used string
		want      error
	}{
		{"the same", one, one, nil},
		{"none, in one process", "", "", nil},
		{"another", one, two, oidcauth.ErrUnknownKey},
		{"none where it is used", one, "", oidcauth.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := process(tt.used).Use(process(tt.buy).Buy(issuer.Token(nil), anywhere), anywhere); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
	for name, cfg := range map[string]localissuer.Config{
		"a short secret":     {Signer: key, TicketSecret: []byte(one[:31])},
		"one with directory": {Dir: filepath.Join(t.TempDir(), "keys"), TicketSecret: []byte(one)},
	} {
		cfg.URL, cfg.Audiences = "localhost", []string{testAudience}
		_, err := localissuer.New(cfg)
		said.Error(err)
		if err == nil || !strings.Contains(err.Error(), "TicketSecret") || strings.Contains(err.Error(), one[:31]) {
			t.Errorf("%s: New() error = %v, want one about TicketSecret that does not show it", name, err)
		}
	}
}
