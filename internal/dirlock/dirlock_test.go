package dirlock_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// One holder at a time; who waits leaves with its context.
func TestLock(t *testing.T) {
	path := t.TempDir()
	unlock, err := dirlock.Lock(t.Context(), open(t, path))
	if errors.Is(err, dirlock.ErrUnsupported) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("Lock() error = %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := dirlock.Lock(ctx, open(t, path)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock() while it is held: error = %v, want %v", err, context.DeadlineExceeded)
	}
	unlock()
	again, err := dirlock.Lock(t.Context(), open(t, path))
	if err != nil {
		t.Fatalf("Lock() after that: error = %v", err)
	}
	again()
	if names, err := os.ReadDir(path); err != nil || len(names) != 0 {
		t.Errorf("the directory holds %v, %v, want nothing", names, err)
	}
}
