package keyset_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// stored runs a set until it has written its file, and returns its path.
func stored(t *testing.T, cfg keyset.Config) string {
	t.Helper()
	s := start(t, cfg)
	mustKeys(t, s, "a")
	s.Close()
	return disktest.Only(t, cfg.CacheDir)
}

func TestStore_RestartDuringAnOutage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(with(key("a", 0), `{"key_ops":["verify"],"issuer":"https://tenant","x5c":["no"]}`), key("b", 1))
		cfg := discovering(t, i)
		cfg.CacheDir = dir
		path := stored(t, cfg)
		confirmed := time.Now()
		checkMode(t, dir, 0o700)
		checkMode(t, path, 0o600)
		body, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(body), `"x5c"`) {
			t.Errorf("file = %s, %v, want no copy of the answer", body, err)
		}

		i.set(func(i *issuer) { i.hang = true })
		time.Sleep(20 * time.Hour)
		before := i.count() + i.discoveries()
		j := &journal{}
		cfg.Hooks = j.hooks()
		s := start(t, cfg)
		synctest.Wait()
		if i.count()+i.discoveries() != before {
			t.Error("New used the network")
		}
		if r := s.Report(); r.State != keyset.Stale || !r.FromStore || !r.ServeUntil.Equal(confirmed.Add(24*time.Hour)) {
			t.Errorf("Report() = %+v, want stale until a day after the confirmation", r)
		}
		began := time.Now()
		k := mustKeys(t, s, "a")[0]
		if time.Since(began) != 0 || !k.Live(time.Now()) || k.Issuer() != "https://tenant" {
			t.Errorf("key after restart: %v, live %v, issuer %q", time.Since(began), k.Live(time.Now()), k.Issuer())
		}
		synctest.Wait()
		if i.count()+i.discoveries() != before+1 {
			t.Error("the first use started no refresh")
		}
		i.set(func(i *issuer) { i.hang = false })
		time.Sleep(time.Minute)
		if r := s.Report(); r.State != keyset.Fresh || r.FromStore {
			t.Errorf("Report() = %+v, want fresh", r)
		}
		if mustKeys(t, s, "a")[0] != k {
			t.Error("the key is another after it was confirmed")
		}
		j.wantStates(t, "none-stale false", "stale-fresh false")
	})
}

func TestStore_LimitCountsFromTheConfirmation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.CacheDir = dir
		stored(t, cfg)
		i.set(func(i *issuer) { i.broken = true })
		time.Sleep(23 * time.Hour)
		s := start(t, cfg)
		k := mustKeys(t, s, "a")[0]
		time.Sleep(time.Hour)
		synctest.Wait()
		if k.Live(time.Now()) {
			t.Error("a restart prolonged the stale limit")
		}
		_, err := s.Keys(t.Context(), jws.Named("a"))
		unavailable(t, err)
	})
}

// After a restart the keys are asked for where they were, also while nobody says where
// that is.
func TestStore_RestartWithoutDiscovery(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := discovering(t, i)
		cfg.CacheDir = dir
		stored(t, cfg)
		i.set(func(i *issuer) { i.discovery, i.body = 500, jwks(key("b", 1)) })
		s := start(t, cfg)
		if r := s.Report(); r.JWKSURL != jwksURL {
			t.Errorf("JWKSURL = %q, want %q", r.JWKSURL, jwksURL)
		}
		mustKeys(t, s, "b")
	})
}

// Keys come out of the file as they went in, whatever members they have.
func TestStore_SameKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(
			key("a", 0), with(key("b", 1), `{"key_ops":["verify"]}`), with(key("c", 2), `{"key_ops":["sign","verify"]}`),
			with(key("d", 3), `{"issuer":"t"}`), with(key("e", 4), `{"key_ops":["verify"],"issuer":"t"}`),
			with(key("f", 5), `{"use":null,"alg":null,"kid":null}`),
		), &journal{}
		cfg := j.config(t, i)
		cfg.CacheDir = dir
		stored(t, cfg)
		s := start(t, cfg)
		before := len(s.Report().Keys)
		mustKeys(t, s, "a")
		time.Sleep(time.Minute)
		if r := s.Report(); before != 6 || len(r.Keys) != 6 || r.FromStore || len(j.told().gone) != 0 {
			t.Errorf("%d keys from the file, then %d; KeysGone was told %v, want 6, 6 and none", before, len(r.Keys), ids(j.told().gone))
		}
	})
}

// Who starts and asks for nothing hears when the keys of the file are too old, and of a
// file that cannot be used before the set is closed.
func TestStore_Unasked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := i.config(t)
		cfg.CacheDir = dir
		path := stored(t, cfg)
		time.Sleep(time.Hour)
		cfg.Hooks.KeysGone = j.hooks().KeysGone
		start(t, cfg)
		time.Sleep(23*time.Hour - time.Second)
		if len(j.told().gone) != 0 {
			t.Errorf("KeysGone was told %v before the limit", ids(j.told().gone))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if ids(j.told().gone) != "[a]" {
			t.Errorf("KeysGone was told %v, want a", ids(j.told().gone))
		}
		write(t, path, "garbage")
		cfg.Hooks = j.hooks()
		s, err := keyset.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s.Close(); len(j.told().stores) != 1 {
			t.Errorf("StoreFailed was told %v, want one", j.told().stores)
		}
		wantCount(t, i, 1)
	})
}

func TestStore_RemovedKeyLeavesTheFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0), key("b", 1))
		cfg := i.config(t)
		cfg.CacheDir = dir
		s := start(t, cfg)
		mustKeys(t, s, "a")
		i.publish(key("c", 2))
		mustKeys(t, s, "c")
		s.Close()
		i.set(func(i *issuer) { i.broken = true })
		again := start(t, cfg)
		mustKeys(t, again, "c")
		if keys, err := again.Keys(t.Context(), jws.Named("a")); len(keys) != 0 || err == nil {
			t.Errorf("Keys(a) = %v, %v, want none", ids(keys), err)
		}
	})
}

func TestStore_FailedWritesAreReportedOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "file")
	write(t, dir, "in the way")
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		cfg := i.config(t)
		cfg.CacheDir, cfg.KeepWarm, cfg.Hooks = dir, true, j.hooks()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(j.told().stores) != 2 { // one for the load, one for the writes
			t.Errorf("StoreFailed was told %v, want two", j.told().stores)
		}
		if s.Report().State != keyset.Fresh {
			t.Error("a directory that cannot be used broke the set")
		}
	})
}

func TestStore_AnotherIssuersFileHasAnotherName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		for _, from := range [][2]string{{""}, {issuerURL + "/other"}, {jwksURL}, {jwksURL, "x"}, {jwksURL, "y"}} {
			cfg := i.config(t)
			i.set(func(i *issuer) { i.keepsOld = true })
			cfg.CacheDir, cfg.JWKSURL, cfg.Apart = dir, from[0], from[1]
			s := start(t, cfg)
			if s.Report().State != keyset.None {
				t.Error("another source's file was used")
			}
			mustKeys(t, s, "a")
			s.Close()
		}
		// Of 32 hexadecimal digits, as all versions name them.
		if files, _ := filepath.Glob(filepath.Join(dir, strings.Repeat("[0-9a-f]", 32)+".json")); len(files) != 5 {
			t.Errorf("files = %v, want five", files)
		}
	})
}

// Two processes that share a directory behave as two sets do: nothing but the
// file system is between them.
func TestStore_TwoWriters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	i := newIssuer(key("a", 0), key("b", 1))
	cfg := i.config(t)
	cfg.CacheDir = dir
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				s, err := keyset.New(cfg)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Keys(t.Context(), jws.Named("c")); err == nil {
					t.Error("an unknown key was found")
				}
				s.Close()
			}
		})
	}
	j := &journal{}
	reader := cfg
	reader.Hooks = j.hooks()
	for range 100 {
		start(t, reader).Close()
	}
	wg.Wait()
	if len(j.told().stores) != 0 {
		t.Errorf("a reader met a damaged file: %v", j.told().stores)
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 {
		t.Errorf("directory = %v, %v, want one file", all, err)
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
		t.Errorf("mode of %s = %v, %v, want %v", path, info.Mode(), err, want)
	}
}
