package oidcauth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A waitingLab is a server with a directory, and a log that takes nothing yet.
type waitingLab struct {
	issuer *oidctest.Issuer
	log    *memoryLog
	cfg    oidcauth.Config
}

func newWaitingLab(t *testing.T) *waitingLab {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	log := newMemoryLog()
	log.RefuseAll()
	return &waitingLab{issuer, log, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log, RevocationDir: filepath.Join(t.TempDir(), "waiting"),
	}}
}

// expectWaits demands that a revocation waits in the directory.
func expectWaits(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, oidcauth.ErrRevocationWaits) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) || strings.Contains(err.Error(), "memory") {
		t.Fatalf("got error %v, want %v, and not in memory", err, oidcauth.ErrRevocationWaits)
	}
}

// files returns how many revocations the directory holds.
func (w *waitingLab) files(t *testing.T) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.cfg.RevocationDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// What waits to be shared holds after a restart from the first token on, is
// shared as soon as the log takes it, and is gone from the directory then.
func TestConfig_RevocationDir(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaitingLab(t)
		a := newAuthenticator(t, w.cfg)
		expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}))
		expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "token-1", Until: time.Now().Add(time.Hour)}))
		if err := a.Ready(t.Context()); !errors.Is(err, oidcauth.ErrRevocationWaits) || !strings.Contains(err.Error(), "2 revocations") {
			t.Errorf("Ready() error = %v, want that 2 revocations wait", err)
		}
		for range 2 {
			if err := a.Close(); !errors.Is(err, oidcauth.ErrRevocationWaits) || !strings.Contains(err.Error(), "2 revocations") {
				t.Errorf("Close() error = %v, want that 2 revocations wait", err)
			}
		}

		time.Sleep(time.Minute)
		b := newAuthenticator(t, w.cfg)
		wants(t, b, w.issuer.Token(nil), oidcauth.ErrRevoked)
		wants(t, b, w.issuer.Token(map[string]any{"sub": "bob", "jti": "token-1"}), oidcauth.ErrRevoked)
		wants(t, b, w.issuer.Token(map[string]any{"sub": "bob"}), nil)
		if n := w.files(t); n != 2 {
			t.Errorf("%d files, want 2", n)
		}
		w.log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if entries, _, _ := w.log.Counts(); entries != 2 || w.files(t) != 0 {
			t.Errorf("%d entries in the log, %d files, want 2 and none", entries, w.files(t))
		}
		if err := b.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v once nothing waits", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close() error = %v once nothing waits", err)
		}
	})
}

// Without a log the directory is where revocations are: they hold after a restart, from
// the first token on, and so does a logout that was answered with 200.
func TestConfig_RevocationDir_Alone(t *testing.T) {
	t.Parallel()
	for _, dir := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWaitingLab(t)
			w.cfg.Revocations = nil
			w.cfg.Issuers[0].LogoutAudiences = []string{testAudience}
			after := map[bool]error{true: oidcauth.ErrRevoked, false: nil}[dir]
			if !dir {
				w.cfg.RevocationDir = ""
			}
			a := newAuthenticator(t, w.cfg)
			if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
				t.Errorf("Revoke() error = %v", err)
			}
			logout := w.issuer.LogoutToken(map[string]any{"aud": testAudience, "sid": "login-1"})
			if got := postLogout(a, logout); got.StatusCode != http.StatusOK {
				t.Errorf("logout: status %d, want 200", got.StatusCode)
			}
			if err := a.Ready(t.Context()); err != nil {
				t.Errorf("Ready() error = %v", err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("Close() error = %v", err)
			}
			b := newAuthenticator(t, w.cfg)
			wants(t, b, w.issuer.Token(map[string]any{"sub": "alice"}), after)
			wants(t, b, w.issuer.Token(map[string]any{"sub": "bob", "sid": "login-1"}), after)
			wants(t, b, w.issuer.Token(map[string]any{"sub": "bob"}), nil)
		})
	}
}

// A process that is killed leaves what it has acknowledged.
func TestConfig_RevocationDir_Killed(t *testing.T) {
	t.Parallel()
	w := newWaitingLab(t)
	a := newAuthenticator(t, w.cfg)
	expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}))
	if _, err := oidcauth.New(w.cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("New() error = %v while another has the directory, want that it is in use", err)
	}
	// Whatever Close does, the files were there before.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(w.cfg.RevocationDir)); err != nil {
		t.Fatal(err)
	}
	w.cfg.RevocationDir = copied
	b := newAuthenticator(t, w.cfg)
	wants(t, b, w.issuer.Token(nil), oidcauth.ErrRevoked)
}

// A directory that cannot be trusted is a loud error, and so is one that nobody
// would ever read.
func TestConfig_RevocationDir_Refused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(t *testing.T, w *waitingLab, file string)
		refuse bool
	}{
		{"whole", func(*testing.T, *waitingLab, string) {}, false},
		{"a file cut short", func(t *testing.T, _ *waitingLab, file string) {
			if err := os.Truncate(file, 10); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"open to others", func(t *testing.T, w *waitingLab, _ string) {
			if err := os.Chmod(w.cfg.RevocationDir, 0o777); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"the key cache's", func(_ *testing.T, w *waitingLab, _ string) { w.cfg.KeyCacheDir = w.cfg.RevocationDir + "/." }, true},
		{"another's file", func(t *testing.T, w *waitingLab, file string) {
			if err := os.Rename(file, filepath.Join(filepath.Dir(file), "keyring.json")); err != nil {
				t.Fatal(err)
			}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWaitingLab(t)
			a := newAuthenticator(t, w.cfg)
			expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}))
			a.Close()
			names, err := filepath.Glob(filepath.Join(w.cfg.RevocationDir, "*.json"))
			if err != nil || len(names) != 1 {
				t.Fatalf("files %q, %v, want one", names, err)
			}
			tt.damage(t, w, names[0])
			for range 2 { // a refusal lets go of the directory
				b, err := oidcauth.New(w.cfg)
				if tt.refuse != (err != nil) || err != nil && !strings.Contains(err.Error(), "RevocationDir") {
					t.Errorf("New() error = %v, refuse %t", err, tt.refuse)
				}
				if err == nil {
					b.Close()
				}
			}
		})
	}
}

// Waits, waits but is not written, and will not be shared are three errors.
func TestRevoke_NotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaitingLab(t)
		a := newAuthenticator(t, w.cfg)
		huge := strings.Repeat("x", 100<<10)
		states := []error{oidcauth.ErrRevocationWaits, oidcauth.ErrRevocationNotWritten, oidcauth.ErrRevocationNotShared}
		expect := func(err, want error) {
			t.Helper()
			for _, state := range states {
				if errors.Is(err, state) != (state == want) {
					t.Errorf("Revoke() error = %v, want %v", err, want)
				}
			}
			if status, _, _ := oidcauth.Answer(err); status != http.StatusServiceUnavailable || !errors.Is(err, errLogDown) {
				t.Errorf("Revoke() error = %v with status %d, want %v with 503", err, status, errLogDown)
			}
		}
		expect(a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "1"}), oidcauth.ErrRevocationWaits)
		expect(a.Revoke(t.Context(), oidcauth.Revocation{TokenID: huge}), oidcauth.ErrRevocationNotWritten)
		if err := a.Ready(t.Context()); !strings.Contains(err.Error(), "2 revocations") || !strings.Contains(err.Error(), "1 in memory only") {
			t.Errorf("Ready() error = %v", err)
		}
		w.cfg.RevocationDir = ""
		b := newAuthenticator(t, w.cfg)
		for n := range 10_000 {
			if err := b.Revoke(t.Context(), oidcauth.Revocation{TokenID: fmt.Sprint(n)}); !strings.Contains(err.Error(), "in memory only") {
				t.Fatalf("Revoke() error = %v, want that it waits in memory only", err)
			}
		}
		expect(b.Revoke(t.Context(), oidcauth.Revocation{TokenID: "7"}), oidcauth.ErrRevocationWaits)
		expect(b.Revoke(t.Context(), oidcauth.Revocation{TokenID: "more"}), oidcauth.ErrRevocationNotShared)
		if err := b.Close(); !errors.Is(err, oidcauth.ErrRevocationNotShared) || !strings.Contains(err.Error(), "10000 revocations") {
			t.Errorf("Close() error = %v, want that 10,000 are not shared", err)
		}
		if err := a.Close(); !errors.Is(err, oidcauth.ErrRevocationNotShared) || !strings.Contains(err.Error(), "1 are in no file") {
			t.Errorf("Close() error = %v, want that one of two is lost", err)
		}
	})
}

// Whoever repeats Revoke until it succeeds, as documented, takes one place, and
// nothing of what was revoked on the way is missing in the end.
func TestRevoke_RepeatedWhileItWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaitingLab(t)
		w.cfg.MaxTokenLifetime = 24 * time.Hour
		a := newAuthenticator(t, w.cfg)
		for n := range 300 {
			r := oidcauth.Revocation{Subject: "alice"}
			switch n % 3 {
			case 1:
				r.IssuedBefore = time.Now()
			case 2:
				r = oidcauth.Revocation{Subject: "bob", IssuedBefore: time.Now()}
			}
			expectWaits(t, a.Revoke(t.Context(), r))
			time.Sleep(time.Second)
		}
		if n := w.files(t); n > 3 {
			t.Errorf("%d files, want one for each of two subjects, or little more", n)
		}
		expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "carol"}))
		w.log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var subjects []string
		for _, r := range w.log.Entries() {
			subjects = append(subjects, r.Subject)
		}
		slices.Sort(subjects)
		if got := slices.Compact(subjects); !slices.Equal(got, []string{"alice", "bob", "carol"}) || w.files(t) != 0 {
			t.Errorf("the log has %q, %d files are left", got, w.files(t))
		}
		a.Close()
	})
}

// What Revoke has shared at once need not be shared late any more.
func TestRevoke_RepeatedWithSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWaitingLab(t)
		a := newAuthenticator(t, w.cfg)
		until := time.Now().Add(time.Hour)
		expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice", Until: until}))
		expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "bob", Until: until}))
		time.Sleep(100 * time.Millisecond)
		w.log.RefuseNone()
		revoke(t, a, oidcauth.Revocation{Subject: "alice", Until: until.Add(time.Hour)})
		if n := w.files(t); n != 1 {
			t.Errorf("%d revocations wait, want bob's alone", n)
		}
		a.Close()
	})
}

// A clock that was ahead ends nothing that waits, neither at once nor in a
// process that starts meanwhile.
func TestRevoke_WaitsWhileClockIsAhead(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, clock := newWaitingLab(t), new(authtest.Clock)
			w.cfg.Now = clock.Now
			a := newAuthenticator(t, w.cfg)
			expectWaits(t, a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice", Until: time.Now().Add(time.Hour)}))
			clock.Set(2 * time.Hour)
			if restart {
				a.Close()
				a = newAuthenticator(t, w.cfg)
			}
			time.Sleep(10 * time.Minute)
			if n := w.files(t); n != 1 {
				t.Errorf("%d revocations wait, want 1", n)
			}
			clock.Set(0)
			if err := a.Ready(t.Context()); !errors.Is(err, oidcauth.ErrRevocationWaits) {
				t.Errorf("Ready() error = %v, want %v", err, oidcauth.ErrRevocationWaits)
			}
			w.log.RefuseNone()
			time.Sleep(2 * time.Minute)
			if entries, _, _ := w.log.Counts(); entries != 1 {
				t.Errorf("the log has %d entries, want 1", entries)
			}
			wants(t, a, w.issuer.Token(nil), oidcauth.ErrRevoked)
			a.Close()
		})
	}
}

// A logout holds when it is answered with 200, and may be tried again when it is
// not.
func TestLogoutHandler_Shared(t *testing.T) {
	t.Parallel()
	const (
		logWorks  = "the log works"
		marksFail = "the log takes no marks"
		logFails  = "the log takes nothing"
	)
	tests := []struct {
		name    string
		log     string
		dir     bool
		answers []int // to the same token, again and again
		shared  int
	}{
		{"shared", logWorks, false, []int{200, 400}, 1},
		{"shared, not marked as used", marksFail, false, []int{200, 400}, 1},
		{"waits in the directory", logFails, true, []int{200, 400}, 0},
		{"waits in memory", logFails, false, []int{503, 503, 503}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWaitingLab(t)
				if !tt.dir {
					w.cfg.RevocationDir = ""
				}
				w.log.Refuse(func(r oidcauth.Revocation) bool {
					mark := r == oidcauth.Revocation{}
					return tt.log == logFails || tt.log == marksFail && mark
				})
				a := newAuthenticator(t, w.cfg)
				logout := logoutToken(w.issuer, nil)
				for n, want := range tt.answers {
					resp := postLogout(a, logout)
					if resp.StatusCode != want || (resp.Header.Get("Retry-After") != "") != (want == 503) {
						t.Errorf("try %d: got status %d, headers %v, want %d", n+1, resp.StatusCode, resp.Header, want)
					}
					wants(t, a, w.issuer.Token(nil), oidcauth.ErrRevoked)
				}
				if resp := postLogout(a, w.issuer.Token(nil)); resp.StatusCode != 400 {
					t.Errorf("not a logout token: got status %d, want 400", resp.StatusCode)
				}
				if entries, _, _ := w.log.Counts(); entries != tt.shared {
					t.Errorf("%d entries in the log, want %d", entries, tt.shared)
				}
				w.log.RefuseNone()
				if last := tt.answers[len(tt.answers)-1]; last == 503 {
					if resp := postLogout(a, logout); resp.StatusCode != 200 {
						t.Errorf("once the log works: got status %d, want 200", resp.StatusCode)
					}
				}
				time.Sleep(2 * time.Minute)
				if entries, _, _ := w.log.Counts(); entries != 1 {
					t.Errorf("%d entries in the log in the end, want 1", entries)
				}
				if err := a.Close(); err != nil {
					t.Errorf("Close() error = %v", err)
				}
			})
		})
	}
}

// withFlakyLog runs a test of two servers that share a log, which takes nothing
// yet.
func withFlakyLog(t *testing.T, test func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator)) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log, lines := newMemoryLog(), new(logBuffer)
		log.RefuseAll()
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log}
		b := newAuthenticator(t, cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(lines, nil))
		a := newAuthenticator(t, cfg)
		synctest.Wait()
		test(t, issuer, log, lines, a, b)
		a.Close()
		b.Close()
	})
}

// revokeAlone revokes while the log takes nothing.
func revokeAlone(t *testing.T, a *oidcauth.Authenticator, r oidcauth.Revocation) {
	t.Helper()
	if err := a.Revoke(t.Context(), r); !errors.Is(err, errLogDown) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
		t.Fatalf("Revoke() error = %v, want %v", err, errLogDown)
	}
}

// What the log did not take holds here at once and everywhere when it does.
func TestRevoke_SharedLater(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator) {
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix(), "jti": "token-1"})
		s := b.NewSession(t.Context(), wants(t, b, token, nil))
		for range 3 {
			revokeAlone(t, a, oidcauth.Revocation{TokenID: "token-1", Until: time.Now().Add(48 * time.Hour).Truncate(24 * time.Hour)})
		}
		wants(t, a, token, oidcauth.ErrRevoked)
		time.Sleep(time.Hour)
		wants(t, b, token, nil)
		if _, attempts, _ := log.Counts(); attempts < 40 || attempts > 140 {
			t.Errorf("%d attempts in an hour, want about one a minute", attempts)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		expectEnd(t, s, oidcauth.ErrRevoked)
		wants(t, b, token, oidcauth.ErrRevoked)
		entries, attempts, _ := log.Counts()
		time.Sleep(time.Hour)
		if _, now, _ := log.Counts(); entries != 1 || now != attempts {
			t.Errorf("%d entries, %d attempts since, want 1 and none", entries, now-attempts)
		}
		for text, want := range map[string]int{"revocations wait to be shared": 1, "waits to be shared any longer": 1} {
			if got := strings.Count(lines.String(), text); got != want {
				t.Errorf("%d lines %q, want %d:\n%s", got, text, want, lines)
			}
		}
	})
}

// When contact with the log is back, what waits goes out without delay.
func TestRevoke_SharedOnContact(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "token-1"})
		time.Sleep(time.Hour)
		log.SetDown(true)
		synctest.Wait()
		log.SetDown(false)
		log.RefuseNone()
		_, before, _ := log.Counts()
		for strings.Count(lines.String(), "caught up") < 2 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if entries, attempts, _ := log.Counts(); entries != 1 || attempts != before+1 {
			t.Errorf("contact is back: %d entries, %d attempts, want one of each", entries, attempts-before)
		}
	})
}

// One that the log never takes does not hold up the others.
func TestRevoke_OneIsNeverShared(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "never"})
		for n := range 20 {
			revokeAlone(t, a, oidcauth.Revocation{TokenID: fmt.Sprint(n)})
		}
		log.Refuse(func(r oidcauth.Revocation) bool { return r.TokenID == "never" })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 20 {
			t.Errorf("%d revocations are shared, want 20", got)
		}
	})
}

// What is over is not shared any more.
func TestRevoke_OverBeforeShared(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Hour)})
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "long", Until: time.Now().Add(3 * time.Hour)})
		time.Sleep(2 * time.Hour)
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if entries := log.Entries(); len(entries) != 1 || entries[0].TokenID != "long" {
			t.Errorf("the log has %v, want the long one alone", entries)
		}
	})
}

// A logout is shared later too, and its token works once more for an issuer that
// was told of the failure.
func TestLogout_SharedLater(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, issuer *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		logout := logoutToken(issuer, nil)
		if resp := postLogout(a, logout); resp.StatusCode != 503 {
			t.Fatalf("got status %d, want 503", resp.StatusCode)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 1 {
			t.Errorf("%d revocations are shared, want that of the logout alone", got)
		}
		if resp := postLogout(a, logout); resp.StatusCode != 200 {
			t.Errorf("the issuer's second try: got status %d, want 200", resp.StatusCode)
		}
		if resp := postLogout(b, logout); resp.StatusCode != 400 {
			t.Errorf("a third: got status %d, want 400", resp.StatusCode)
		}
	})
}

// A log that is certain not to have stored it may do so later all the same, and
// the caller learns what it said.
func TestRevoke_NotStored(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, _ *logBuffer, a, b *oidcauth.Authenticator) {
		log.FailWith(fmt.Errorf("%w: full", oidcauth.ErrNotStored))
		err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "token-1"})
		if !errors.Is(err, oidcauth.ErrNotStored) || !errors.Is(err, oidcauth.ErrRevocationWaits) || !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			t.Errorf("Revoke() error = %v, want %v and %v", err, oidcauth.ErrNotStored, oidcauth.ErrRevocationWaits)
		}
		log.RefuseNone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := b.RevocationCount(); got != 1 {
			t.Errorf("%d revocations are shared, want 1", got)
		}
	})
}

// What is over before the log took it is given up, and nobody is told that it was
// shared.
func TestRevoke_OverIsSaid(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, _ *memoryLog, lines *logBuffer, a, _ *oidcauth.Authenticator) {
		revokeAlone(t, a, oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Hour)})
		time.Sleep(2 * time.Hour)
		for text, want := range map[string]int{"ended before they were shared": 1, "waits to be shared any longer": 0} {
			if got := strings.Count(lines.String(), text); got != want {
				t.Errorf("%d lines %q, want %d:\n%s", got, text, want, lines)
			}
		}
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v once nothing waits", err)
		}
	})
}

// How many may wait is bounded, and whoever comes after that is told.
func TestRevoke_TooManyToShare(t *testing.T) {
	t.Parallel()
	withFlakyLog(t, func(t *testing.T, _ *oidctest.Issuer, log *memoryLog, lines *logBuffer, a, b *oidcauth.Authenticator) {
		const capacity = 10_000
		for n := range capacity {
			err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: fmt.Sprint(n)})
			if err == nil || strings.Contains(err.Error(), "too many") {
				t.Fatalf("Revoke() error = %v for revocation %d", err, n)
			}
		}
		err := a.Revoke(t.Context(), oidcauth.Revocation{TokenID: "one more"})
		if !errors.Is(err, errLogDown) || !strings.Contains(err.Error(), "too many") {
			t.Errorf("Revoke() error = %v, want that too many wait", err)
		}
		began := time.Now()
		a.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close() took %v", took)
		}
		if !strings.Contains(lines.String(), "revocations=10000") {
			t.Errorf("Close() does not say how many were not shared:\n%s", lines)
		}
		if b.RevocationCount() != 0 {
			t.Error("the other server knows of what was not shared")
		}
	})
}
