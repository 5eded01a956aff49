// Package dirlock locks directories against other processes, and against other
// holders in this one.
package dirlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

var (
	// ErrHeld says that somebody else has the lock.
	ErrHeld = errors.New("directory is locked by another process")

	// ErrUnsupported says that the system or the file system has no locks on
	// directories, and no file was named to stand in.
	ErrUnsupported = errors.New("directory cannot be locked")
)

const retry = 5 * time.Millisecond

// A Lock is held on a directory until Unlock. The system releases it when its
// holder ends, however that happens, where it has locks (see [Try]).
type Lock struct {
	root *os.Root
	dir  *os.File // locked itself; nil where that cannot be
	file *os.File // locked as well; nil without a name
	name string
}

// Try takes the lock of an open directory, or fails with [ErrHeld] at once. It is
// on the directory itself: nothing has to be created for it, and nobody can remove
// it from under those who rely on it. Not every system and file system has such
// locks, so that the file of that name in the directory is locked too, unless the
// name is empty. Where there are no locks on files either, the file itself is the
// lock: whoever creates it has it. After a crash it has to be removed by hand, but
// on Windows, where nobody can remove it while it is open.
func Try(root *os.Root, name string) (*Lock, error) { return try(flock, lockFile, root, name) }

func try(lockDir func(*os.File) error, lockFile func(*os.Root, string) (*os.File, error), root *os.Root, name string) (*Lock, error) {
	l := &Lock{root: root, name: name}
	err := l.lockDir(lockDir)
	if err != nil && (name == "" || !errors.Is(err, ErrUnsupported)) {
		return nil, err
	}
	if name == "" {
		return l, nil
	}
	if l.file, err = lockFile(root, name); err == nil && !l.Held() {
		err = ErrHeld // of a file that was removed meanwhile
	}
	if err != nil {
		l.Unlock()
		return nil, err
	}
	return l, nil
}

// Wait is [Try] until the lock can be had or ctx ends.
func Wait(ctx context.Context, root *os.Root, name string) (*Lock, error) {
	for {
		l, err := Try(root, name)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-time.After(retry):
		}
	}
}

func (l *Lock) lockDir(lock func(*os.File) error) error {
	dir, err := l.root.Open(".")
	if err != nil {
		return err
	}
	if err := lock(dir); err != nil {
		dir.Close()
		return err
	}
	l.dir = dir
	return nil
}

// Held reports whether the file that was locked is the one that others would lock:
// somebody may have removed it. Without a name it is true.
func (l *Lock) Held() bool {
	if l.file == nil {
		return true
	}
	locked, err := l.file.Stat()
	if err != nil {
		return false
	}
	named, err := l.root.Lstat(l.name)
	return err == nil && os.SameFile(locked, named)
}

// Unlock lets others have the lock. It is called once.
func (l *Lock) Unlock() {
	if l.file != nil {
		unlockFile(l.root, l.name, l.file)
	}
	if l.dir != nil {
		l.dir.Close()
	}
}
