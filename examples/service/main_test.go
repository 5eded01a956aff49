package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

func TestStory(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := tellStory(t.Context(), &out); err != nil {
		t.Errorf("tellStory() error = %v", err)
	}
	if !strings.Contains(out.String(), "All 4 services fared as they should.") || strings.Contains(out.String(), "WRONG") {
		t.Errorf("the story went otherwise than it should:\n%s", out.String())
	}
	if regexp.MustCompile(`eyJ[\w-]+\.`).MatchString(out.String()) {
		t.Error("the story prints a token")
	}
}

// TestHold_NoTokenForAMoment: a provider that is away when a token is to be renewed costs
// no socket while the token is good.
func TestHold_NoTokenForAMoment(t *testing.T) {
	t.Parallel()
	w, err := startWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	chapters, err := w.chapters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	away := sourceFunc(func() (*oauth2.Token, error) {
		if asked++; asked > 1 && asked < 5 {
			return nil, errors.New("the provider is away")
		}
		return chapters[0].source.Token()
	})
	service := &client{url: w.url, source: away, early: brief, pause: 10 * time.Millisecond}
	got, err := service.hold(t.Context(), 2*time.Second)
	if err != nil || got.closed != closedByService || asked < 5 {
		t.Errorf("hold() = %+v, %v, after %d questions, want that the service closed the socket, after 5 at least", got, err, asked)
	}
}

// TestChapter_NoticesWhatIsWrong shows a chapter outcomes of every kind.
func TestChapter_NoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	renews := chapter{name: "renews", early: early, insert: 200, ends: -1}
	forgets := chapter{name: "forgets", insert: 200, ends: statusUnauthorized}
	good := held{calls: 50, renewals: 4, lasted: holding, closed: -1}
	shown := held{calls: 20, lasted: brief, closed: statusUnauthorized}
	with := func(h held, change func(*held)) held { change(&h); return h }
	for _, row := range []struct {
		name    string
		chapter chapter
		got     outcome
		want    bool
	}{
		{"as it should be", renews, outcome{status: 200, held: good}, true},
		{"shown the door, as it should be", forgets, outcome{status: 200, held: shown}, true},
		{"an error", renews, outcome{status: 200, held: good, err: errors.New("no network")}, false},
		{"another status", renews, outcome{status: 403, held: good}, false},
		{"closed by the server", renews, outcome{status: 200, held: with(good, func(h *held) { h.closed = 3000 })}, false},
		{"closed for another reason", forgets, outcome{status: 200, held: with(shown, func(h *held) { h.closed = 1001 })}, false},
		{"never closed", forgets, outcome{status: 200, held: with(shown, func(h *held) { h.closed = -1 })}, false},
		{"closed late", forgets, outcome{status: 200, held: with(shown, func(h *held) { h.lasted = holding })}, false},
		{"no calls", renews, outcome{status: 200, held: with(good, func(h *held) { h.calls = 0 })}, false},
		{"renewed once", renews, outcome{status: 200, held: with(good, func(h *held) { h.renewals = 1 })}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			if got := row.chapter.tell(&out, row.got); got != row.want || strings.Contains(out.String(), "WRONG") == row.want {
				t.Errorf("tell() = %t, want %t; printed:\n%s", got, row.want, out.String())
			}
		})
	}
}

// TestProjectedFile: the file is read again once its token has no longer to
// live than early, and not before.
func TestProjectedFile(t *testing.T) {
	t.Parallel()
	p, err := provider.Start(t.Context(), provider.Config{Clients: []provider.Client{
		{ID: podID, TokenLifetime: time.Minute}, {ID: "long", TokenLifetime: time.Hour},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	file := filepath.Join(t.TempDir(), "token")
	write := func(clientID string) string {
		t.Helper()
		token, err := p.AccessToken(t.Context(), clientID, "")
		if err == nil {
			err = os.WriteFile(file, []byte(token+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	mustBe := func(source oauth2.TokenSource, want, when string) {
		t.Helper()
		if got, err := source.Token(); err != nil || got.AccessToken != want {
			t.Errorf("%s: another token than that of the file, or %v", when, err)
		}
	}
	first := write(podID)
	lazy, eager := projectedFile(time.Second, file), projectedFile(2*time.Minute, file)
	mustBe(lazy, first, "at first")
	mustBe(eager, first, "at first, early")
	second := write("long")
	mustBe(lazy, first, "while the first is good")
	mustBe(eager, second, "when the first is about to expire")
	write(podID)
	mustBe(eager, second, "while the second is good")

	for name, content := range map[string]string{"not a token": "x", "empty": "", "token without an expiry": unsigned(`{"sub":"a"}`)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := projectedFile(time.Second, file).Token(); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if _, err := projectedFile(time.Second, file+".missing").Token(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error = %v", err)
	}
}

// unsigned has the form of a token with these claims.
func unsigned(claims string) string {
	return fmt.Sprintf("%s.%s.AAAA", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)), base64.RawURLEncoding.EncodeToString([]byte(claims)))
}

func TestServiceAccount_Refused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key.json")
	for _, content := range []string{"", "{}", `{"type":"authorized_user"}`, `[]`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := serviceAccount(t.Context(), early, file, "https://issuer.example"); err == nil {
			t.Errorf("file with %q is accepted", content)
		}
	}
}
