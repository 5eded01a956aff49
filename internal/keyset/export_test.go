package keyset

import (
	"path/filepath"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
)

// WithRandom returns cfg with its jitter drawn from random.
func WithRandom(cfg Config, random func() float64) Config {
	cfg.random = random
	return cfg
}

// CoolDownTime is how long unknown key IDs are refused after a vain fetch.
const CoolDownTime = 10 * time.Second

// Confirm does what the end of a fetch does whose answer was 304.
func Confirm(s *Set) {
	s.finish(&flight{done: make(chan struct{})}, answer{notModified: true}, nil)
}

// Sleep does what a machine's sleep does to the times that s has noted: by the
// wall clock they are so much longer ago, by the monotonic clock they are not.
func Sleep(s *Set, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slept := func(t time.Time) time.Time { return t.Round(0).Add(-d) }
	next := *s.snap.Load()
	next.fetched, next.confirmed, next.freshUntil = slept(next.fetched), slept(next.confirmed), slept(next.freshUntil)
	next.wallLimit -= int64(d)
	s.snap.Store(&next)
	s.refreshAt = slept(s.refreshAt)
}

// OnDisk returns cfg with its cache directory behind a tap.
func OnDisk(cfg Config, tap disk.Tap) Config {
	cfg.tap = tap
	return cfg
}

// StorePath returns where a set keeps its keys.
func StorePath(cfg Config) string { return filepath.Join(cfg.CacheDir, newStore(cfg).name) }

// HoldDiscard holds up whoever removes keys from s, between the keys' end and the sight
// of those that take their place.
func HoldDiscard(s *Set) (release func()) {
	s.prepared.mu.Lock()
	return s.prepared.mu.Unlock
}
