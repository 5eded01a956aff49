//go:build linux

package revoked

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
)

// A process that has confined itself to another directory, for which no path leads to its
// own any more, goes on writing there.
func TestDir_Confined(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can confine itself")
	}
	d := openDir(t, privateDir(t))
	elsewhere := t.TempDir()
	confined, put := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := syscall.Unshare(syscall.CLONE_FS)
		if err == nil {
			err = syscall.Chroot(elsewhere)
		}
		confined <- err
		if err == nil {
			_, err = d.Put([]byte("one"))
			put <- err
		}
	}()
	if err := <-confined; errors.Is(err, syscall.EPERM) { // as root in many containers
		t.Skip("not permitted here:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := <-put; err != nil {
		t.Errorf("Put() error = %v", err)
	}
}
