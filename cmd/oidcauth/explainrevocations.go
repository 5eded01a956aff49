package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

// keptRevocations are those that a server keeps in its directory, for a report on a token:
// the server may have the directory, in which nothing is to be changed. They are a log that
// is read and not written to.
type keptRevocations struct {
	all  []oidcauth.Revocation
	told chan struct{} // closed when the library has them all
	once sync.Once     // closes it
}

// readKept reads those of the directory, and says what a report cannot know of.
func (file *fileConfig) readKept() (kept *keptRevocations, unknown string, err error) {
	kept = &keptRevocations{told: make(chan struct{})}
	dir := file.Revocations.dir()
	if dir == "" {
		return kept, file.unknownRevocations(), nil
	}
	list, err := revoked.Read(dir)
	_, missing := os.Stat(dir)
	switch {
	case errors.Is(missing, fs.ErrNotExist): // which a server's is not, once it was started
		return kept, fmt.Sprintf("%s, which keeps revocations, is not there: run this where the server was started", dir), nil
	case errors.Is(err, fs.ErrPermission):
		return kept, fmt.Sprintf("%s, which keeps revocations, is not open to this user", dir), nil
	case err != nil:
		return nil, "", fmt.Errorf("revocations.dir: %s: %w", dir, err)
	}
	for _, r := range list {
		kept.all = append(kept.all, oidcauth.Revocation(r))
	}
	return kept, file.unknownRevocations(), nil
}

// unknownRevocations says which revocations nobody but the server knows, or nothing.
func (file *fileConfig) unknownRevocations() string {
	switch {
	case file.Revocations.shares():
		return "what the servers share through NATS is not asked for"
	case file.Revocations.dir() == "" && (file.Admin != nil || file.BackchannelLogout):
		return "the server has its revocations in memory alone"
	}
	return ""
}

// wait returns when the library has them all, or ctx ends.
func (k *keptRevocations) wait(ctx context.Context) error {
	select {
	case <-k.told:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Follow implements [oidcauth.RevocationLog].
func (k *keptRevocations) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(current bool)) error {
	for _, r := range k.all {
		apply(r)
	}
	caughtUp(true)
	k.once.Do(func() { close(k.told) })
	<-ctx.Done()
	return ctx.Err()
}

// Append implements [oidcauth.RevocationLog].
func (k *keptRevocations) Append(context.Context, oidcauth.Revocation) (bool, error) {
	return false, errors.ErrUnsupported
}

// FirstUse implements [oidcauth.RevocationLog].
func (k *keptRevocations) FirstUse(context.Context, [32]byte, time.Time) (bool, error) {
	return false, errors.ErrUnsupported
}
