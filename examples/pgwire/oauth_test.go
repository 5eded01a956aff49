package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oauthbearer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// logBuffer is a log that several goroutines write to.
type logBuffer = authtest.Log

func askingWorld(t *testing.T, wrap func(net.Conn) net.Conn) *world {
	t.Helper()
	challenge, err := challengeFor("https://issuer.test", "")
	if err != nil {
		t.Fatal(err)
	}
	return newWorldAsking(t, wrap, challenge)
}

// connectBearing signs in with pgx's own OAUTHBEARER.
func (w *world) connectBearing(token string) (*pgx.Conn, error) {
	w.t.Helper()
	cfg := w.config("a password that nobody asks for", false)
	cfg.OAuthTokenProvider = func(context.Context) (string, error) { return token, nil }
	conn, err := pgx.ConnectConfig(w.t.Context(), cfg)
	if err == nil {
		w.t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

func TestOAuth_Pgx(t *testing.T) {
	w := askingWorld(t, nil)
	for _, row := range []struct {
		name, token, want string
	}{
		{"good", w.issuer.Token(nil), ""},
		{"expired", w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Hour)}), "invalid_token"},
		{"for another server", w.issuer.Token(map[string]any{"aud": "other"}), "invalid_token"},
		{"no token", "", "08P01"},
		{"two words", "x y", "08P01"},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := w.connectBearing(row.token)
			if row.want != "" {
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Fatalf("error = %v, want %q in it", err, row.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var user string
			if err := conn.QueryRow(t.Context(), "select current_user").Scan(&user); err != nil || user == "" {
				t.Errorf("current_user: got %q, %v", user, err)
			}
		})
	}
	if log := w.log.String(); strings.Contains(log, "eyJ") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// TestOAuth_KeysUnavailable: what the server cannot know is not the token's fault.
func TestOAuth_KeysUnavailable(t *testing.T) {
	w := askingWorld(t, nil)
	w.issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 503})
	_, err := w.connectBearing(w.issuer.Token(nil))
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || refused.Code != cannotConnectNow {
		t.Errorf("error = %v, want %s", err, cannotConnectNow)
	}
}

// TestOAuth_InTheClear: a client elsewhere is not even asked without TLS.
func TestOAuth_InTheClear(t *testing.T) {
	w := askingWorld(t, func(c net.Conn) net.Conn { return farConn{c} })
	_, err := w.connectBearing(w.issuer.Token(nil))
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || refused.Code != invalidAuth {
		t.Errorf("error = %v, want %s", err, invalidAuth)
	}
}

// TestOAuth_Libpq replays what libpq sends, and wants the server to answer what libpq
// took.
func TestOAuth_Libpq(t *testing.T) {
	text, err := os.ReadFile("testdata/libpq18.txt")
	if err != nil {
		t.Fatal(err)
	}
	scenes := strings.Split(string(text), "\n== ")[1:]
	if len(scenes) != 2 {
		t.Fatalf("got %d scenes, want 2", len(scenes))
	}
	for _, scene := range scenes {
		name, lines, _ := strings.Cut(scene, "\n")
		t.Run(name, func(t *testing.T) {
			w := askingWorld(t, nil)
			conn, err := net.Dial("tcp", w.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(30 * time.Second))
			for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
				said, err := strconv.Unquote(line[2:])
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if line[0] == 'C' {
					if _, err := conn.Write([]byte(said)); err != nil {
						t.Fatal(err)
					}
					continue
				}
				got := make([]byte, len(said))
				if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, []byte(said)) {
					t.Fatalf("the server says %q, %v, want %q", got, err, said)
				}
			}
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after that: got %d bytes, %v, want the end", n, err)
			}
			// Asking is no attempt that failed.
			if refused := strings.Contains(w.log.String(), "client refused"); refused != strings.Contains(name, "refused") {
				t.Errorf("log:\n%s", w.log.String())
			}
		})
	}
}

func TestChallengeFor(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.example.com":     "https://login.example.com/.well-known/openid-configuration",
		"https://tenant.example.com/":   "",
		"https://kc.example.com/realms": "https://kc.example.com/realms/.well-known/openid-configuration",
	} {
		got, err := challengeFor(issuer, "openid")
		if (err != nil) != (want == "") || err == nil && *got != (oauthbearer.Challenge{Discovery: want, Scope: "openid"}) {
			t.Errorf("%s: got %v, %v, want %q", issuer, got, err, want)
		}
	}
}
