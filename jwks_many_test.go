package oidcauth_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/disk"
)

// A busyTransport answers each request with the same keys after a second, and counts how
// many wait for that at a time.
type busyTransport struct {
	mu              sync.Mutex // guards what follows
	waiting, atMost int
	keys            string
}

// RoundTrip implements [http.RoundTripper].
func (b *busyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	b.count(1)
	defer b.count(-1)
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(b.keys)), Request: r}, nil
}

func (b *busyTransport) count(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting += n
	b.atMost = max(b.atMost, b.waiting)
}

// A server of a thousand issuers needs its sockets for its clients when it starts.
func TestKeys_ManyIssuers(t *testing.T) {
	t.Parallel()
	const many, room = 1000, 128
	start := func(t *testing.T, warm bool) (*busyTransport, *oidcauth.Authenticator, []oidcauth.Issuer) {
		b := &busyTransport{keys: publishedKeys}
		issuers := make([]oidcauth.Issuer, many)
		for n := range issuers {
			url := fmt.Sprintf("https://tenant-%d.example", n)
			issuers[n] = oidcauth.Issuer{URL: url, Audiences: []string{"db"}, Keys: oidcauth.KeysFrom{JWKSURL: url + "/jwks"}}
		}
		return b, newAuthenticator(t, oidcauth.Config{Issuers: issuers, Client: &http.Client{Transport: b}, KeepWarm: warm}), issuers
	}
	synctest.Test(t, func(t *testing.T) {
		b, a, _ := start(t, false)
		begun := time.Now()
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v", err)
		}
		if took := time.Since(begun); b.atMost != room || took != 8*time.Second {
			t.Errorf("Ready asked %d issuers at a time, and took %v, want %d and 8 s", b.atMost, took, room)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b, a, issuers := start(t, true)
		time.Sleep(1500 * time.Millisecond)
		begun := time.Now()
		// One that somebody asks about does not stand behind those that nobody does.
		if _, err := a.Keys(t.Context(), issuers[many-1].URL); err != nil || time.Since(begun) > time.Second {
			t.Errorf("Keys() error = %v after %v, want none within a second", err, time.Since(begun))
		}
		time.Sleep(9 * time.Second)
		if unready := a.Unready(); len(unready) > 0 || b.atMost > room+1 {
			t.Errorf("%d issuers have no keys, %d were asked at a time; want none, and %d and one more", len(unready), b.atMost, room)
		}
	})
}

// Nor does it have files open for each issuer whose keys it is about to keep, and who closes
// it then has them kept all the same: configured ones and those that were found.
func TestKeys_ManyIssuersKept(t *testing.T) {
	const many = 40
	issuers := make([]oidcauth.Issuer, many)
	var c customers
	for n := range issuers {
		url := fmt.Sprintf("https://tenant-%d.example", n)
		issuers[n] = oidcauth.Issuer{URL: url, Audiences: []string{"db"}, Keys: oidcauth.KeysFrom{JWKSURL: url + "/jwks"}}
		c.set(url, issuers[n])
	}
	for name, cfg := range map[string]oidcauth.Config{
		"configured": {Issuers: issuers}, "found": {FindIssuer: c.find},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				dir, err := disk.Open(path, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer dir.Close()
				held, err := dir.TryLock("")
				if err != nil {
					t.Skip(err) // no locks on directories here
				}
				before := openAt(t, path)
				cfg.KeyCacheDir, cfg.Client = path, &http.Client{Transport: &busyTransport{keys: publishedKeys}}
				a := newAuthenticator(t, cfg)
				for n := range issuers {
					go a.Keys(t.Context(), issuers[n].URL)
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if n := openAt(t, path) - before; n > 2 {
					t.Errorf("the directory is open %d times for %d issuers whose keys are to be kept, want twice at most", n, many)
				}
				time.AfterFunc(time.Second, held.Unlock)
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				if files, err := filepath.Glob(filepath.Join(path, "*.json")); len(files) != many || err != nil {
					t.Errorf("the keys of %d issuers are kept, %v, want those of all %d", len(files), err, many)
				}
			})
		})
	}
}

// openAt returns how often this process has a directory open, zero where the system does
// not tell.
func openAt(t *testing.T, path string) (n int) {
	t.Helper()
	all, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range all {
		if at, err := os.Readlink(fd); err == nil && at == path {
			n++
		}
	}
	return n
}

const publishedKeys = `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256","use":"sig",` +
	`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`
