package keyset_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A directory with the files of very many issuers is not looked through by each of them
// when they start, nor at each write; and yet what was left there unfinished goes.
func TestStore_ManyIssuers(t *testing.T) {
	t.Parallel()
	const issuers = 1000
	dir := t.TempDir()
	chmod(t, dir, 0o700)
	var lists atomic.Int32
	i := newIssuer(key("a", 0))
	cfg := keyset.OnDisk(i.config(t), func(c *disk.Call, do func() error) error {
		if c.Op == disk.List {
			lists.Add(1)
		}
		return do()
	})
	cfg.CacheDir = dir
	for n := range issuers {
		write(t, filepath.Join(dir, fmt.Sprintf("%032x.json", n)), "{}")
	}
	all := func() {
		for n := range issuers {
			cfg.Issuer = fmt.Sprint("https://issuer.example/", n)
			s := start(t, cfg)
			if n%10 == 0 {
				mustKeys(t, s, "a")
			}
			s.Close()
		}
	}
	all()
	if n := lists.Load(); n == 0 || n > 100 {
		t.Errorf("%d issuers had the directory listed %d times, want a hundred at most", issuers, n)
	}
	unfinished := filepath.Join(dir, fmt.Sprintf("%032x.json.tmp-1", 0))
	write(t, unfinished, "half")
	all()
	if _, err := os.Stat(unfinished); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left unfinished is there: %v", err)
	}
}
