package spacetime_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/spacetime"
)

// claimsOf are those of a token that nobody verified.
func claimsOf(t *testing.T, subject string) *oidcauth.Claims {
	t.Helper()
	claims, err := oidcauth.UnverifiedClaims(fmt.Appendf(nil, `{"iss":"https://id.example","sub":%q,"aud":"x","exp":4102444800}`, subject),
		oidcauth.Issuer{URL: "https://id.example", Audiences: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// A token is remembered for as long as a ticket for it can be good, and no longer.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := spacetime.NewMemory(100)
		alice, bob := claimsOf(t, "alice"), claimsOf(t, "bob")
		expect := func(claims *oidcauth.Claims, want string) {
			t.Helper()
			if got, known := m.Of(claims); got != want || known != (want != "") {
				t.Errorf("remembers %q, want %q", got, want)
			}
			if counted, found := m.Bytes(); counted != found {
				t.Errorf("%d bytes are counted, %d are there", counted, found)
			}
		}
		m.Keep(alice, "a")
		expect(alice, "a")
		expect(bob, "")
		time.Sleep(40 * time.Second)
		m.Keep(alice, "a") // sold again
		m.Keep(bob, "b")
		time.Sleep(59 * time.Second)
		synctest.Wait()
		expect(alice, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		expect(alice, "")
		expect(bob, "")
	})
}

// Two clusters of one name can sign the same payload, each about a caller of its own.
func TestMemory_Descriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := spacetime.NewMemory(100)
		var callers []*oidcauth.Claims
		for _, prefix := range []string{"a:", "b:"} {
			c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://id.example","sub":"alice","aud":"x","exp":4102444800}`),
				oidcauth.Issuer{URL: "https://id.example", SubjectPrefix: prefix, Audiences: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			m.Keep(c, "token of "+prefix)
			callers = append(callers, c)
		}
		for n, want := range []string{"token of a:", "token of b:"} {
			if got, _ := m.Of(callers[n]); got != want {
				t.Errorf("caller %d is given %q, want %q", n, got, want)
			}
		}
		time.Sleep(time.Minute)
	})
}

// What is remembered has a bound, and what is dropped makes place.
func TestMemory_Full(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := spacetime.NewMemory(10)
		first, second := claimsOf(t, "1"), claimsOf(t, "2")
		m.Keep(first, "1234567")
		m.Keep(second, "1234")
		if _, known := m.Of(second); known {
			t.Error("remembers more than it may")
		}
		m.Keep(first, "12345678") // in place of itself
		if got, _ := m.Of(first); got != "12345678" {
			t.Errorf("remembers %q", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		m.Keep(second, "1234")
		if _, known := m.Of(second); !known {
			t.Error("does not remember although there is place again")
		}
		time.Sleep(time.Minute)
	})
}

// What is remembered may come to the bound, and what was dropped is held by nothing.
func TestMemory_Bound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := spacetime.NewMemory(10)
		first, second := claimsOf(t, "1"), claimsOf(t, "2")
		m.Keep(first, "123456")
		m.Keep(second, "1234")
		if got, _ := m.Of(second); got != "1234" {
			t.Errorf("remembers %q, want as much as it may", got)
		}
		before := m.Timer(first)
		m.Keep(first, "123456")
		if before.Stop() {
			t.Error("a timer still holds the token that was dropped")
		}
		time.Sleep(time.Minute)
	})
}

// A server remembers 64 MiB of tokens.
func TestMemory_OfServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := spacetime.NewMemory(spacetime.MaxRemembered)
		token := strings.Repeat("x", 1<<20)
		for n := range 64 {
			claims := claimsOf(t, fmt.Sprint(n))
			m.Keep(claims, token)
			if _, known := m.Of(claims); !known {
				t.Errorf("does not remember %d MiB", n+1)
			}
		}
		more := claimsOf(t, "more")
		m.Keep(more, "x")
		if _, known := m.Of(more); known {
			t.Error("remembers a byte more than 64 MiB")
		}
		time.Sleep(time.Minute)
	})
}

// A ticket gives back the token that bought it, and none of the same identity that
// says more.
func TestConfig_RememberTokens(t *testing.T) {
	w := newWorld(t, spacetime.Config{RememberTokens: true})
	plain, admin := w.issuer.Token(nil), w.issuer.Token(map[string]any{"roles": []string{"admin"}})
	ticket := w.buy(t, plain)
	w.buy(t, admin)
	socket, _, err := w.dial(t, "?token="+ticket, v3)
	if err != nil {
		t.Fatal(err)
	}
	if g := greeted(t, socket); g.token != plain {
		t.Error("the ticket gave back another token")
	}
}
