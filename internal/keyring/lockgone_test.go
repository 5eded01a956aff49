package keyring_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// No change is lost when somebody removes the lock file under those who hold
// and await it.
func TestUpdate_LockFileRemoved(t *testing.T) {
	t.Parallel()
	const writers, changes = 4, 50
	path := filepath.Join(t.TempDir(), "keys")
	open(t, path)
	stop := make(chan struct{})
	var wg, vandal sync.WaitGroup
	vandal.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				os.Remove(filepath.Join(path, "keyring.lock"))
			}
		}
	})
	for range writers {
		wg.Go(func() {
			dir, err := keyring.Open(path)
			if err != nil {
				t.Errorf("Open() error = %v", err)
				return
			}
			for range changes {
				if _, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
					r.Longest += time.Second
					return r, true, nil
				}); err != nil {
					t.Errorf("Update() error = %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	vandal.Wait()
	if got := load(t, path).Longest; got != writers*changes*time.Second {
		t.Errorf("%d changes are there, want %d", got/time.Second, writers*changes)
	}
}
