package localissuer_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Rotation breaks nobody: while keys change three times, every token is
// accepted, old or new, by the process that rotates, by one that shares its
// directory, and by both whichever of them issued it.
func TestIssuer_RotateUnderLoad(t *testing.T) {
	t.Parallel()
	const requests, rotations, workers = 10_000, 3, 8
	dir := filepath.Join(t.TempDir(), "keys")
	issuers := [2]*localissuer.Issuer{}
	servers := [2]*oidcauth.Authenticator{}
	for i := range issuers {
		issuers[i] = newLocal(t, localissuer.Config{Dir: dir})
		servers[i] = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{issuers[i].Issuer()}, CacheBytes: -1})
	}
	old := issue(t, issuers[0], localissuer.Request{})
	var done atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := range requests / workers {
				token := old
				if n%2 == 1 {
					var err error
					if token, _, err = issuers[w%2].Issue(context.Background(), localissuer.Request{}); err != nil {
						t.Errorf("Issue() error = %v", err)
						return
					}
				}
				if _, err := servers[w/2%2].Authenticate(context.Background(), token); err != nil {
					t.Errorf("Authenticate() error = %v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	for n := range rotations {
		for done.Load() < int64(requests/(rotations+1)*(n+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if err := issuers[0].Rotate(t.Context()); err != nil {
			t.Fatalf("Rotate() error = %v", err)
		}
	}
	wg.Wait()
	if n := len(issuers[0].Keys()); n != rotations+2 {
		t.Errorf("%d keys, want %d", n, rotations+2)
	}
}

// A process learns of another's new key from the first token that it signed, and
// of a removed key within seconds.
func TestIssuer_SharedDirectory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "keys")
		here, there := newLocal(t, localissuer.Config{Dir: dir}), newLocal(t, localissuer.Config{Dir: dir})
		a := trusting(t, here)
		first := there.Keys()[0].ID
		old := issue(t, there, localissuer.Request{})
		for range 2 { // the second makes a key sign that nobody has seen yet
			if err := there.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, token := range []string{old, issue(t, there, localissuer.Request{})} {
			if _, err := a.Authenticate(t.Context(), token); err != nil {
				t.Errorf("Authenticate() error = %v", err)
			}
		}
		if err := there.Remove(t.Context(), first); err != nil {
			t.Fatalf("Remove() error = %v", err)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if _, err := a.Authenticate(t.Context(), old); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("Authenticate() under a removed key: error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
	})
}

// A key that another process has just made is found however many tokens bring
// it at once, and right after a stranger's key ID was looked for in vain.
func TestIssuer_NewKeyAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	here, there := newLocal(t, localissuer.Config{Dir: dir}), newLocal(t, localissuer.Config{Dir: dir})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{here.Issuer()}, CacheBytes: -1})
	stranger := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"iss": here.URL()}})
	for range 10 {
		if _, err := a.Authenticate(t.Context(), stranger.Token(nil)); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Fatalf("Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
		for range 2 { // the second makes a key sign that nobody has seen yet
			if err := there.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		token := issue(t, there, localissuer.Request{})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := a.Authenticate(context.Background(), token); err != nil {
					t.Errorf("Authenticate() error = %v", err)
				}
			})
		}
		wg.Wait()
	}
}

// A slowHandler takes a second for what it is told of a directory.
type slowHandler struct {
	slog.Handler
	told atomic.Bool
}

func (h *slowHandler) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "not readable") {
		time.Sleep(time.Second)
		h.told.Store(true)
	}
	return nil
}

// Nothing looks at the directory, and nothing is logged, after Close.
func TestIssuer_CloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := dirWithKeys(t)
		log := &slowHandler{Handler: slog.NewTextHandler(io.Discard, nil)}
		l := newLocal(t, localissuer.Config{Dir: dir, Logger: slog.New(log)})
		if err := os.Truncate(filepath.Join(dir, "keyring.json"), 100); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5500 * time.Millisecond) // the watch looks every five seconds
		if err := l.Close(); err != nil || !log.told.Load() {
			t.Errorf("Close() error = %v, and the watch goes on: %v", err, !log.told.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		if err := v.local.Close(); err != nil {
			t.Fatal(err)
		}
		v.restore([]byte("{"))
		time.Sleep(time.Minute)
		synctest.Wait()
		if v.log.String() != "" || len(v.local.Keys()) != 2 {
			t.Errorf("after Close() there are %d keys, and the log says %s", len(v.local.Keys()), &v.log)
		}
	})
}

// A directory that can no longer be read is reported once, and the keys in
// memory go on serving.
func TestIssuer_DirectoryLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		dir := filepath.Join(t.TempDir(), "keys")
		l := newLocal(t, localissuer.Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		a := trusting(t, l)
		file := filepath.Join(dir, "keyring.json")
		if err := os.Truncate(file, 100); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := a.Authenticate(t.Context(), issue(t, l, localissuer.Request{})); err != nil {
			t.Errorf("Authenticate() error = %v", err)
		}
		if n := strings.Count(log.String(), "not readable"); n != 1 {
			t.Errorf("reported %d times, want once:\n%s", n, &log)
		}
		if err := l.Rotate(t.Context()); err == nil {
			t.Error("Rotate() error = nil over a damaged file")
		}
	})
}

func TestIssuer_Import(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{NoExpiry: true})
	a := trusting(t, l)
	key := newKey(t)
	token := signAs(t, key, "JWT", `{"iss":"localhost","sub":"bob","aud":["my-db"],"exp":null}`)
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("before: Authenticate() error = %v, want %v", err, oidcauth.ErrSignature)
	}
	id, err := l.Import(t.Context(), privatePEM(t, key))
	if err != nil {
		t.Fatalf("Import() error = %v", err)
	}
	if _, err := a.Authenticate(t.Context(), token); err != nil {
		t.Errorf("after: Authenticate() error = %v", err)
	}
	for range 20 {
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := trusting(t, l).Authenticate(t.Context(), token); err != nil {
		t.Errorf("after 20 rotations: Authenticate() error = %v", err)
	}
	if err := l.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrSignature) && !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("after its removal: Authenticate() error = %v, want a refusal", err)
	}
	if _, err := l.Import(t.Context(), []byte("no key")); err == nil {
		t.Error("Import(no key) error = nil")
	}
}

// Whoever was told an error removes a key once more, until it is certain.
func TestIssuer_RemoveTwice(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	id := v.local.Keys()[0].ID
	if err := v.local.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var removed []byte
	for range 2 {
		if err := v.local.Remove(t.Context(), id); err != nil {
			t.Errorf("Remove() error = %v", err)
		}
		if removed != nil && !bytes.Equal(v.backup(), removed) {
			t.Error("Remove() of a key that is removed writes the directory")
		}
		removed = v.backup()
	}
	if err := v.local.Remove(t.Context(), "another"); err == nil || !strings.Contains(err.Error(), "no key has the ID") {
		t.Errorf("Remove() error = %v, want that there is no such key", err)
	}
}

// The name that a directory belongs to is held to the rules of any other: with "|" in
// it an identity could be read in two ways.
func TestNew_DirectoryOfBadName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	cfg := localissuer.Config{URL: "localhost", Dir: dir, Audiences: []string{testAudience}}
	newLocal(t, cfg).Close()
	file := filepath.Join(dir, "keyring.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{"localhost": true, "local|host": false, "": false} {
		changed := strings.Replace(string(text), `"localhost"`, strconv.Quote(name), 1)
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.URL = ""
		l, err := localissuer.New(cfg)
		if (err == nil) != good || (l != nil) != good {
			t.Errorf("New() over the keys of %q = %v, %v, want good %t", name, l, err, good)
		}
		if err == nil {
			l.Close()
		}
	}
}

// Every import is written, and one that changes nothing is not: also beside others, and
// of a key that the issuer itself has retired.
func TestIssuer_ImportWritten(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	text, err := v.local.PublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	own, _ := pem.Decode(text)
	if err := v.local.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{privatePEM(t, newKey(t)), privatePEM(t, newKey(t)), pem.EncodeToMemory(own)} {
		before := v.backup()
		for _, news := range []bool{true, false} {
			id, err := v.local.Import(t.Context(), text)
			if err != nil {
				t.Fatalf("Import() error = %v", err)
			}
			if bytes.Equal(v.backup(), before) == news {
				t.Errorf("Import() of a key that is new %t writes the directory: %t", news, !news)
			}
			before = v.backup()
			late, _ := v.start()
			if !slices.ContainsFunc(late.Keys(), func(k localissuer.Key) bool { return k.ID == id && k.Imported }) {
				t.Error("a process that starts now does not know the imported key")
			}
		}
	}
}

// A ring that is full cannot be rotated, and stays as it is.
func TestIssuer_RotateFull(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	dir, err := keyring.Open(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	full := func(r keyring.Ring) (keyring.Ring, bool, error) {
		for len(r.Keys) < 500 && err == nil {
			r, err = r.Rotate(time.Now())
		}
		return r, true, err
	}
	if _, err := dir.Update(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	before := v.backup()
	if err := v.local.Rotate(t.Context()); !errors.Is(err, keyring.ErrRing) || !strings.Contains(err.Error(), "500 keys") {
		t.Errorf("Rotate() error = %v, want that there are 500 keys", err)
	}
	if !bytes.Equal(v.backup(), before) {
		t.Error("the directory has been changed")
	}
}

// A directory of an earlier version is brought to this one when a process starts, if it
// can be.
func TestNew_BringsUpToDate(t *testing.T) {
	t.Parallel()
	former, err := os.ReadFile("../internal/keyring/testdata/version1.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	v.restore(former)
	newLocal(t, localissuer.Config{Dir: v.dir, Lifetime: time.Hour})
	if !strings.Contains(string(v.backup()), `"version": 2`) {
		t.Error("the file is still of version 1")
	}
}
