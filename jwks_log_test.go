package oidcauth_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// keyLines returns the lines of a log about keys, in short.
func keyLines(t *testing.T, log *logBuffer) []string {
	t.Helper()
	var lines []string
	for text := range strings.Lines(log.String()) {
		var line struct{ Level, Msg, Issuer, From, To, Error string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log %q: %v", text, err)
		}
		if line.Issuer != oidctest.DefaultURL {
			t.Errorf("a line about issuer %q: %s", line.Issuer, text)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprint(line.Level, " ", line.Msg, " ", line.From, ">", line.To, " error: ", line.Error != "")))
	}
	return lines
}

// The log has a line for each change of an issuer's keys: a warning for one that is for
// the worse, with the reason.
func TestKeys_LogOfStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		time.Sleep(30 * time.Hour)
		issuer.Clear()
		time.Sleep(2 * time.Hour)
		a.Close()
		const changed = "issuer's keys changed state "
		want := []string{
			"INFO " + changed + "none>fresh error: false", "WARN " + changed + "fresh>stale error: true",
			"WARN " + changed + "stale>gone error: true", "INFO " + changed + "gone>fresh error: false",
		}
		if got := keyLines(t, &log); !slices.Equal(got, want) {
			t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// An issuer that answers and has no key for us is told of in the log.
func TestKeys_LogOfNoneUsable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			spoil  func(*oidctest.Issuer)
			refuse error
			want   string // the first line
		}{
			{"a key", func(*oidctest.Issuer) {}, nil, "INFO issuer's keys changed state none>fresh error: false"},
			{"no key", func(i *oidctest.Issuer) { i.RemoveKeys() }, oidcauth.ErrKeysUnavailable, "WARN issuer publishes no usable key > error: true"},
		} {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			tt.spoil(issuer)
			var log logBuffer
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewJSONHandler(&log, nil))})
			wants(t, a, issuer.Token(nil), tt.refuse)
			a.Close()
			if got := keyLines(t, &log); len(got) == 0 || got[0] != tt.want {
				t.Errorf("%s: the log has %q, want %q first", tt.name, got, tt.want)
			}
		}
	})
}

// A file of keys that cannot be used is told of in the log, and is no more than that.
func TestConfig_KeyCacheDir_Log(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	dir := filepath.Join(t.TempDir(), "keys")
	for _, tt := range []struct {
		name, content string // of the file; empty for what the library wrote
		want          int    // warnings
	}{
		{"no file", "", 0},
		{"a good file", "", 0},
		{"another file", "{}", 1},
	} {
		if tt.content != "" {
			files, err := filepath.Glob(filepath.Join(dir, "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%q, %v", files, err)
			}
			if err := os.WriteFile(files[0], []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: dir, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		wants(t, a, issuer.Token(nil), nil)
		a.Close()
		warnings := slices.DeleteFunc(keyLines(t, &log), func(line string) bool {
			return line != "WARN issuer's file in the key directory not usable > error: true"
		})
		if len(warnings) != tt.want {
			t.Errorf("%s: %d warnings, want %d: %s", tt.name, len(warnings), tt.want, &log)
		}
	}
}
