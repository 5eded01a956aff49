package spacetime_test

import (
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A player is a client that comes again and again. What it brings to a visit is
// the token that it was given at first, or what it has stored since.
type player struct {
	t     *testing.T
	w     *world
	token string

	exchanges bool // buys a ticket, as browsers must; or sends the header
	stores    bool // what onConnect gives, always; or only where it had nothing
}

// visit returns whom the server takes the player for, or the status of a refusal.
func (p *player) visit() (identity string, status int) {
	p.t.Helper()
	query, headers := "", authorization("")
	switch {
	case p.token != "" && p.exchanges:
		resp, body := p.w.do(p.t, "POST", "/v1/identity/websocket-token", "Authorization", "Bearer "+p.token)
		if resp.StatusCode != 200 {
			return "", resp.StatusCode
		}
		query = "?token=" + body["token"]
	case p.token != "":
		headers = authorization("Bearer " + p.token)
	}
	socket, resp, err := p.w.dial(p.t, query, v3, headers...)
	if err != nil {
		return "", resp.StatusCode
	}
	g := greeted(p.t, socket)
	if p.stores || p.token == "" {
		p.token = g.token
	}
	return g.identity, 101
}

// Whatever a client does with the token of the first message, nobody becomes
// somebody else without noticing: the next visit is by the same identity, or it is
// refused.
func TestVisits(t *testing.T) {
	for _, tt := range []struct {
		name      string
		remember  bool
		exchanges bool
		stores    bool
		first     func(*testing.T, *world) string
		refused   bool // from the second visit on
	}{
		{"nobody, header, keeps", false, false, false, nobody, false},
		{"nobody, header, stores", false, false, true, nobody, false},
		{"nobody, exchange, keeps", false, true, false, nobody, false},
		{"nobody, exchange, stores", false, true, true, nobody, false},
		{"guest whose token expires, exchange, stores", false, true, true, guest, false},
		{"somebody, header, keeps", false, false, false, somebody, false},
		{"somebody, header, stores", false, false, true, somebody, false},
		{"somebody, exchange, keeps", false, true, false, somebody, false},
		{"somebody, exchange, stores", false, true, true, somebody, true},
		{"somebody, exchange, stores, remembered", true, true, true, somebody, false},
		{"somebody, exchange, keeps, remembered", true, true, false, somebody, false},
		{"nobody, exchange, stores, remembered", true, true, true, nobody, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true, RememberTokens: tt.remember})
			p := &player{t: t, w: w, token: tt.first(t, w), exchanges: tt.exchanges, stores: tt.stores}
			had := p.token
			first, status := p.visit()
			if status != 101 {
				t.Fatalf("first visit: status %d", status)
			}
			for n := 2; n <= 4; n++ {
				again, status := p.visit()
				switch {
				case tt.refused && status != 401:
					t.Errorf("visit %d: %q, status %d, want 401", n, again, status)
				case !tt.refused && again != first:
					t.Errorf("visit %d: %q, status %d, want %s as at first", n, again, status, first)
				}
			}
			if had != "" && !tt.refused && p.token != had {
				t.Error("the player has another token than at first")
			}
		})
	}
}

func nobody(*testing.T, *world) string { return "" }

func somebody(_ *testing.T, w *world) string { return w.issuer.Token(nil) }

func guest(t *testing.T, w *world) string {
	token, _, err := w.local.Issue(t.Context(), localissuer.Request{Subject: "guest"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A ticket may be used at another process than the one that sold it.
func TestVisits_Cluster(t *testing.T) {
	keys := localissuer.Config{Dir: filepath.Join(t.TempDir(), "keys")}
	sells := newWorldOf(t, spacetime.Config{Anonymous: true, NoExpiry: true}, keys, -1)
	takes := newWorldOf(t, spacetime.Config{Anonymous: true, NoExpiry: true}, keys, -1)
	p := &player{t: t, w: sells}
	first, _ := p.visit()
	socket, _, err := takes.dial(t, "?token="+sells.buy(t, p.token), v3)
	if err != nil {
		t.Fatal(err)
	}
	if g := greeted(t, socket); g.identity != first || g.token != p.token {
		t.Errorf("greeted as %s, want %s; with the token: %t", g.identity, first, g.token == p.token)
	}
}
