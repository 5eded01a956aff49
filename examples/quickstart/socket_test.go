package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// TestSocket_NoticesWhatIsWrong plays steps on a socket that was closed by a
// logout and looks for something else.
func TestSocket_NoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s, _ := stage(t)
	for _, row := range []struct {
		name  string
		step  func(*socket) step
		wrong int
	}{
		{"as wanted", func(k *socket) step {
			return step{want: closedUnauthorized, do: k.closed("the token was revoked", time.Time{})}
		}, 0},
		{"another code", func(k *socket) step {
			return step{want: 1001, do: k.closed("the token was revoked", time.Time{})}
		}, 1},
		{"another reason", func(k *socket) step {
			return step{want: closedUnauthorized, do: k.closed("the token has expired", time.Time{})}
		}, 1},
		{"too early", func(k *socket) step {
			return step{want: closedUnauthorized, do: k.closed("the token was revoked", time.Now().Add(time.Hour))}
		}, 1},
		{"no warning", func(k *socket) step { return step{do: k.warned(time.Now().Add(time.Hour))} }, 1},
		{"no reply", func(k *socket) step { return step{want: http.StatusOK, do: k.send(viewOwn)} }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			who, alice, err := s.signIn(t.Context(), app)
			if err != nil {
				t.Fatal(err)
			}
			line, err := alice.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer line.leave()
			if err := who.signOut(t.Context(), s.world.provider); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			s.out, s.wrong = &out, 0
			s.play(t.Context(), row.step(line))
			if s.wrong != row.wrong || strings.Contains(out.String(), "WRONG") != (row.wrong > 0) {
				t.Errorf("wrong steps = %d, want %d; printed:\n%s", s.wrong, row.wrong, out.String())
			}
		})
	}
}

// TestSocket_NoticesWrongWarning has a socket warned of another expiry than the
// step wants.
func TestSocket_NoticesWrongWarning(t *testing.T) {
	t.Parallel()
	expiry := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, row := range map[string]struct {
		warning database.Warning
		fails   bool
	}{
		"as wanted":      {database.Warning{Warning: "expiring", Expires: expiry}, false},
		"another expiry": {database.Warning{Warning: "expiring", Expires: expiry.Add(time.Second)}, true},
		"another word":   {database.Warning{Warning: "expired", Expires: expiry}, true},
	} {
		t.Run(name, func(t *testing.T) {
			line := &socket{warnings: []database.Warning{row.warning}}
			if got, err := line.warned(expiry)(t.Context()); (err != nil) != row.fails {
				t.Errorf("warned() = %+v, %v, want an error: %v", got, err, row.fails)
			}
		})
	}
}
