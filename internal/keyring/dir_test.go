package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// childVariable names the directory that a child process opens.
const childVariable = "OIDCAUTH_TEST_KEYRING"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child waits for its standard input to end, so that all children begin at
// once, opens the ring, rotates it, and prints the key that signed at first.
func child(path string) int {
	os.Stdin.Read(make([]byte, 1))
	ctx := context.Background()
	dir, err := keyring.OpenOrCreate(ctx, path, time.Now())
	if err == nil {
		_, err = dir.Update(ctx, func(r keyring.Ring) (keyring.Ring, bool, error) {
			fmt.Println(r.Keys[0].ID)
			r, err := r.Rotate(time.Now())
			return r, true, err
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Processes that start at once on one directory agree on the keys, and none of
// their changes is lost.
func TestOpen_ManyProcesses(t *testing.T) {
	t.Parallel()
	const processes = 6
	path := filepath.Join(t.TempDir(), "keys")
	stdin, start, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var out, stderr [processes]bytes.Buffer
	var wg sync.WaitGroup
	for i := range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+path)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out[i], &stderr[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, &stderr[i])
			}
		})
	}
	start.Close()
	wg.Wait()

	ring := load(t, path)
	if want := processes + 2; len(ring.Keys) != want || ring.Generation != processes+1 {
		t.Errorf("got %d keys in generation %d, want %d in %d", len(ring.Keys), ring.Generation, want, processes+1)
	}
	for i := range out {
		if got := strings.TrimSpace(out[i].String()); got != ring.Keys[0].ID {
			t.Errorf("process %d found %q first, want %q", i, got, ring.Keys[0].ID)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "keys")
	open(t, path)
	checkPerm(t, path, 0o700)
	checkPerm(t, filepath.Join(path, "keyring.json"), 0o600)
	first := load(t, path)
	open(t, path)
	if again := load(t, path); again.Active().ID != first.Active().ID {
		t.Errorf("a second start made key %q, want %q", again.Active().ID, first.Active().ID)
	}
}

// Whatever is wrong with the directory, it is refused and stays as it is.
func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir, file string)
	}{
		{"directory readable by others", func(t *testing.T, dir, _ string) { must(t, os.Chmod(dir, 0o750)) }},
		{"file readable by others", func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o640)) }},
		{"file writable by others", func(t *testing.T, _, file string) { must(t, os.Chmod(file, 0o602)) }},
		{"half-written file", func(t *testing.T, _, file string) { must(t, os.Truncate(file, 200)) }},
		{"empty file", func(t *testing.T, _, file string) { must(t, os.Truncate(file, 0)) }},
		{"something after the end", func(t *testing.T, _, file string) { edit(t, file, "\n}\n", "\n}\n{}") }},
		{"another version", func(t *testing.T, _, file string) { edit(t, file, `"version": 2`, `"version": 3`) }},
		{"no ID", func(t *testing.T, _, file string) { edit(t, file, `"id": "`+load(t, filepath.Dir(file)).ID+`",`, "") }},
		{"an ID in version 1", func(t *testing.T, _, file string) { edit(t, file, `"version": 2`, `"version": 1`) }},
		{"a key that is there and gone", func(t *testing.T, dir, file string) {
			edit(t, file, `"keys": [`, `"gone": ["`+load(t, dir).Active().ID+`"], "keys": [`)
		}},
		{"a ticket secret beside its private key", func(t *testing.T, _, file string) {
			edit(t, file, `"jwk"`, `"ticket_secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "jwk"`)
		}},
		{"an imported key that signs", func(t *testing.T, _, file string) { edit(t, file, `"created"`, `"imported": true, "created"`) }},
		{"an unknown member", func(t *testing.T, _, file string) { edit(t, file, `"version"`, `"more": 1, "version"`) }},
		{"another program's JSON", func(t *testing.T, _, file string) { must(t, os.WriteFile(file, []byte(`{"keys":[]}`), 0o600)) }},
		{"no keys", func(t *testing.T, _, file string) {
			must(t, os.WriteFile(file, []byte(`{"version":1,"longest":"0s"}`), 0o600))
		}},
		{"two active keys", func(t *testing.T, _, file string) { edit(t, file, `"next"`, `"active"`) }},
		{"an unknown state", func(t *testing.T, _, file string) { edit(t, file, `"next"`, `"other"`) }},
		{"a key under another's ID", func(t *testing.T, _, file string) { edit(t, file, "{\n      \"id\": \"", "{\n      \"id\": \"x") }},
		{"a private key turned public", func(t *testing.T, _, file string) { edit(t, file, `"d":`, `"nod":`) }},
		{"a key of another curve", func(t *testing.T, _, file string) { edit(t, file, `"P-256"`, `"P-384"`) }},
		{"file replaced by a link", func(t *testing.T, dir, file string) {
			must(t, os.Rename(file, file+"2"))
			must(t, os.Symlink("keyring.json2", file))
		}},
		{"file replaced by a link to elsewhere", func(t *testing.T, dir, file string) {
			other := filepath.Join(t.TempDir(), "f")
			must(t, os.Rename(file, other))
			must(t, os.Symlink(other, file))
		}},
		{"file replaced by a directory", func(t *testing.T, _, file string) {
			must(t, os.Remove(file))
			must(t, os.Mkdir(file, 0o700))
		}},
		{"file lost, its lock there", func(t *testing.T, dir, file string) {
			must(t, os.Remove(file))
			must(t, os.WriteFile(filepath.Join(dir, "keyring.lock"), nil, 0o600))
		}},
		{"file lost, another there", func(t *testing.T, _, file string) { must(t, os.Rename(file, file+".bak")) }},
		{"no ring, but something else", func(t *testing.T, dir, file string) {
			must(t, os.Remove(file))
			must(t, os.Remove(filepath.Join(dir, "keyring.lock")))
			must(t, os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600))
		}},
		{"directory replaced by a link", func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+"2"))
			must(t, os.Symlink(dir+"2", dir))
		}},
		{"directory replaced by a file", func(t *testing.T, dir, _ string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o600))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			file := filepath.Join(dir, "keyring.json")
			open(t, dir)
			tt.spoil(t, dir, file)
			before := disktest.Tree(t, dir)
			if _, err := keyring.OpenOrCreate(t.Context(), dir, time.Now()); !errors.Is(err, keyring.ErrRing) {
				t.Errorf("Open() error = %v, want %v", err, keyring.ErrRing)
			} else if !strings.Contains(err.Error(), dir) {
				t.Errorf("Open() error = %v, which does not name the directory", err)
			}
			if after := disktest.Tree(t, dir); after != before {
				t.Errorf("Open() changed the directory:\n%s\nwas:\n%s", after, before)
			}
		})
	}
}

// A file that is damaged while the ring is open is not written over.
func TestUpdate_Damaged(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	must(t, os.Chmod(path, 0o700))
	dir := open(t, path)
	file := filepath.Join(path, "keyring.json")
	must(t, os.Truncate(file, 300))
	before := disktest.Tree(t, path)
	_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) { return r, true, nil })
	if !errors.Is(err, keyring.ErrRing) || disktest.Tree(t, path) != before {
		t.Errorf("Update() error = %v, want %v and the file as it was", err, keyring.ErrRing)
	}
}

// A ring that cannot be read again is not written.
func TestUpdate_BadRing(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	must(t, os.Chmod(path, 0o700))
	dir := open(t, path)
	before := disktest.Tree(t, path)
	for name, change := range map[string]func(*keyring.Ring){
		"two keys sign":        func(r *keyring.Ring) { r.Keys[1].State = keyring.Active },
		"no keys":              func(r *keyring.Ring) { r.Keys = nil },
		"a key comes twice":    func(r *keyring.Ring) { r.Keys = append(r.Keys, r.Keys[0]) },
		"a key is there, gone": func(r *keyring.Ring) { r.Gone = append(r.Gone, r.Keys[0].ID) },
	} {
		_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
			r.Keys = slices.Clone(r.Keys)
			change(&r)
			return r, true, nil
		})
		if !errors.Is(err, keyring.ErrRing) || disktest.Tree(t, path) != before {
			t.Errorf("%s: Update() error = %v, want %v and the file as it was", name, err, keyring.ErrRing)
		}
	}
}

// What a crash left behind is cleared away, and does not look like somebody
// else's files.
func TestOpen_AfterCrash(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	must(t, os.Chmod(path, 0o700))
	must(t, os.WriteFile(filepath.Join(path, "keyring.tmp-X"), []byte("half"), 0o600))
	open(t, path)
	if _, err := os.Stat(filepath.Join(path, "keyring.tmp-X")); err == nil {
		t.Error("the file left behind is still there")
	}
}

// A writer that waits for the lock leaves with its context.
func TestUpdate_CallerLeaves(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	holder, waiter := open(t, path), open(t, path)
	_, err := holder.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := waiter.Update(ctx, func(r keyring.Ring) (keyring.Ring, bool, error) {
			t.Error("two writers at once")
			return r, false, nil
		})
		return r, false, err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Update() error = %v, want %v", err, context.DeadlineExceeded)
	}
}

// Whoever does not leave waits for ten seconds.
func TestUpdate_LockHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		holder, waiter := open(t, path), open(t, path)
		_, err := holder.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
			began := time.Now()
			_, err := waiter.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) { return r, false, nil })
			if waited := time.Since(began); waited < 10*time.Second || waited > 10*time.Second+100*time.Millisecond {
				t.Errorf("waited for %v, want 10s", waited)
			}
			return r, false, err
		})
		if !errors.Is(err, dirlock.ErrHeld) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update() error = %v, want %v: %v", err, dirlock.ErrHeld, context.DeadlineExceeded)
		}
	})
}

func open(t *testing.T, path string) *keyring.Dir {
	t.Helper()
	dir, err := keyring.OpenOrCreate(t.Context(), path, time.Now())
	if err != nil {
		t.Fatalf("Open() error = %v", err)
	}
	return dir
}

func load(t *testing.T, path string) keyring.Ring {
	t.Helper()
	r, err := open(t, path).Load()
	if err != nil {
		t.Fatalf("Load() error = %v", err)
	}
	return r
}

// Without leave, nothing is created.
func TestOpen_Missing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	for range 2 {
		before := disktest.Tree(t, filepath.Dir(path))
		if _, err := keyring.Open(path); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, keyring.ErrRing) {
			t.Errorf("Open() error = %v, want %v", err, fs.ErrNotExist)
		}
		if disktest.Tree(t, filepath.Dir(path)) != before {
			t.Error("Open() made something")
		}
		must(t, os.MkdirAll(path, 0o700)) // and now with an empty directory
	}
}

func checkPerm(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s: mode %#o, want %#o", path, got, want)
	}
}

func edit(t *testing.T, file, old, new string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	if !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s does not contain %q", file, old)
	}
	must(t, os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A ring is seen to be the one that it was until it is written, and one that cannot be
// seen never is.
func TestDir_Stat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	dir := open(t, path)
	before := dir.Stat()
	if !dir.Stat().Same(before) {
		t.Error("nothing was written, and it is another")
	}
	_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, err := r.Rotate(time.Now())
		return r, true, err
	})
	must(t, err)
	if dir.Stat().Same(before) {
		t.Error("it was written, and is the same")
	}
	must(t, os.Remove(filepath.Join(path, "keyring.json")))
	if gone := dir.Stat(); gone.Same(gone) {
		t.Error("it is gone, and is the same")
	}
}
