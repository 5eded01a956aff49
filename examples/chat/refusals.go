package main

import (
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	bucketLength = 10 * time.Second
	keptBuckets  = 90 // a quarter of an hour
)

// refusals counts what was refused, by the check that did it, over time. It holds
// nothing of any token.
type refusals struct {
	mu      sync.Mutex // guards buckets
	buckets []bucket   // by time
}

type bucket struct {
	At     time.Time      `json:"at"`
	Counts map[string]int `json:"counts"` // by check
}

func (r *refusals) count(err error, now time.Time) {
	check := "other"
	if errors.Is(err, oidcauth.ErrNoToken) {
		check = "no token"
	} else if refused, ok := errors.AsType[*oidcauth.Refusal](err); ok {
		check = refused.Check
	}
	at := now.Truncate(bucketLength)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.buckets); n == 0 || r.buckets[n-1].At.Before(at) {
		r.buckets = append(r.buckets, bucket{at, make(map[string]int)})
	}
	if extra := len(r.buckets) - keptBuckets; extra > 0 {
		r.buckets = append([]bucket(nil), r.buckets[extra:]...)
	}
	r.buckets[len(r.buckets)-1].Counts[check]++
}

// since returns the buckets that are not older than keptBuckets, copied.
func (r *refusals) since(now time.Time) []bucket {
	oldest := now.Truncate(bucketLength).Add(-keptBuckets * bucketLength)
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := []bucket{}
	for _, b := range r.buckets {
		if b.At.Before(oldest) {
			continue
		}
		counts := make(map[string]int, len(b.Counts))
		for check, n := range b.Counts {
			counts[check] = n
		}
		kept = append(kept, bucket{b.At, counts})
	}
	return kept
}
