package spacetime_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

func TestCheckNames(t *testing.T) {
	of := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		name            string
		limit           int
		issuer, subject string
		want            error
	}{
		{"SpacetimeDB's limit", 0, of(128), of(128), nil},
		{"an issuer beyond it", 0, of(129), of(1), oidcauth.ErrClaim},
		{"a subject beyond it", 0, of(1), of(129), oidcauth.ErrClaim},
		{"a higher limit", 200, of(129), of(200), nil},
		{"beyond the higher limit", 200, of(129), of(201), oidcauth.ErrClaim},
		{"the lowest limit", 1, of(1), of(1), nil},
		{"an issuer beyond the lowest limit", 1, of(2), of(1), oidcauth.ErrClaim},
		{"a subject beyond the lowest limit", 1, of(1), of(2), oidcauth.ErrClaim},
		{"no limit", -1, of(512), of(2048), nil},
	} {
		if err := spacetime.CheckNames(tt.limit, tt.issuer, tt.subject); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Names are bounded whichever way a caller comes.
func TestConfig_MaxNameBytes(t *testing.T) {
	w := newWorld(t, spacetime.Config{})
	if _, err := spacetime.New(spacetime.Config{Auth: w.auth, Local: w.local, MaxNameBytes: 30}); err == nil {
		t.Error("New() error = nil although new identities have subjects of 36 bytes")
	}
	const limit = 40
	routes, err := spacetime.New(spacetime.Config{Auth: w.auth, Local: w.local, MaxNameBytes: limit, InsecureQueryToken: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(routes)
	t.Cleanup(func() { // after the sockets
		routes.Close(context.Background())
		server.Close()
	})
	w.url = server.URL
	for name, extra := range map[string]int{"as long as may be": 0, "a byte longer": 1} {
		token := w.issuer.Token(map[string]any{"sub": strings.Repeat("x", limit+extra)})
		claims, err := w.auth.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := w.local.Ticket(httptest.NewRequest("POST", "/", nil), claims, "chat")
		if err != nil {
			t.Fatal(err)
		}
		bearer := "Bearer " + token
		exchange, _ := w.do(t, "POST", "/v1/identity/websocket-token", "Authorization", bearer)
		verify, _ := w.do(t, "GET", "/v1/identity/"+claims.Identity().String()+"/verify", "Authorization", bearer)
		_, header, _ := w.dial(t, "", v3, "Authorization", bearer)
		_, query, _ := w.dial(t, "?token="+token, v3)
		_, bought, _ := w.dial(t, "?token="+ticket, v3)
		got := []int{exchange.StatusCode, verify.StatusCode, header.StatusCode, query.StatusCode, bought.StatusCode}
		for i, good := range []int{200, 204, 101, 101, 101} {
			want := good
			if extra > 0 {
				want = 401
			}
			if got[i] != want {
				t.Errorf("%s: way %d: status %d, want %d", name, i, got[i], want)
			}
		}
	}
}

// A server whose own tokens would be refused is an error.
func TestConfig_MaxNameBytes_Local(t *testing.T) {
	local, err := localissuer.New(localissuer.Config{
		URL: strings.Repeat("x", 50), Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{local.Issuer()}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	for limit, want := range map[int]bool{49: false, 50: true} {
		if _, err := spacetime.New(spacetime.Config{Auth: auth, Local: local, MaxNameBytes: limit}); (err == nil) != want {
			t.Errorf("New() with a limit of %d: error = %v", limit, err)
		}
	}
}
