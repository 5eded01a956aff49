package revoked

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/said"
)

// A memoryLog is a log that takes nothing, or is out of reach, when the test
// wants that.
type memoryLog = memorylog.Log[Revocation]

// A lab is a list with a clock that can be set, and what it announced.
type lab struct {
	*List
	ahead atomic.Int64 // of the clock
	lost  atomic.Int64 // how often everything was ended

	mu      sync.Mutex // guards what follows
	revoked []Revocation
	calls   int // in how many they were announced
	lines   bytes.Buffer
}

func newLab(incomplete bool) *lab {
	b := new(lab)
	b.List = NewList(Config{
		Now: b.now, Logger: slog.New(slog.NewTextHandler(b, nil)), Incomplete: incomplete,
		Revoked: func(all []Revocation) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.revoked = append(b.revoked, all...)
			b.calls++
		},
		Lost: func() { b.lost.Add(1) },
	})
	return b
}

func (b *lab) now() time.Time          { return time.Now().Add(time.Duration(b.ahead.Load())) }
func (b *lab) set(ahead time.Duration) { b.ahead.Store(int64(ahead)) }

// in returns the time that is so much later by the right clock.
func in(d time.Duration) time.Time { return time.Now().Add(d).Round(0).UTC() }

// Write takes a line of the log.
func (b *lab) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	said.Writer{}.Write(p)
	return b.lines.Write(p)
}

// said returns how often the log has a text.
func (b *lab) said(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.lines.Bytes(), []byte(text))
}

// announced returns what was announced since the last call.
func (b *lab) announced() []Revocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.revoked
	b.revoked = nil
	return all
}

// check looks a token up without a mark.
func (b *lab) check(t Token) error { return b.Check(&t, b.now(), nil) }

// wants expects a verdict on a token.
func (b *lab) wants(t *testing.T, token Token, want error) {
	t.Helper()
	if err := b.check(token); !errors.Is(err, want) {
		t.Errorf("Check(%+v) error = %v, want %v", token, err, want)
	}
}

// follow has the list follow a log, until the test closes it.
func (b *lab) follow(t *testing.T, log Log, dir string) *Follower {
	t.Helper()
	f, err := b.tryFollow(log, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tryFollow is follow with a directory that may fail.
func (b *lab) tryFollow(log Log, dir string, tap disk.Tap) (*Follower, error) {
	return b.Follow(FollowerConfig{Log: log, Dir: dir, tap: tap, Complete: func(r *Revocation) {
		if r.Until.IsZero() {
			r.Until = b.now().Add(24 * time.Hour)
		}
	}})
}
