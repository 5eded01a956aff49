package oidctest

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Caching says which caching headers an endpoint sends. The zero value sends
// none.
type Caching struct {
	// MaxAge is sent as Cache-Control: max-age. Zero sends none.
	MaxAge time.Duration
	// CacheControl is sent as it is, instead of MaxAge.
	CacheControl string
	// Expires is sent as the time so long from now, which may be negative.
	// Zero sends none.
	Expires time.Duration
	// Age is sent as the Age of the answer, as by a cache on the way. Zero
	// sends none.
	Age time.Duration
	// ETag sends an entity tag that changes with the document, and answers 304
	// to a request that has the current one.
	ETag bool
	// WeakETag is ETag with a weak tag, as compressing servers send it.
	WeakETag bool
	// LastModified sends when the key set last changed, and answers 304 to a
	// request that knows it. Only the key set has such a time.
	LastModified bool
	// Shared puts a cache between client and issuer: for MaxAge it repeats the
	// answer it has, with a growing Age, however the document changes. A
	// request with Cache-Control: no-cache gets through to the issuer.
	Shared bool
}

// storedAnswer is what a shared cache holds.
type storedAnswer struct {
	answer
	since time.Time
}

// SetCaching sets the caching headers of an endpoint.
func (i *Issuer) SetCaching(at Endpoint, c Caching) {
	i.helper()
	if !i.areEndpoints(at) {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.caching[at] = c
	delete(i.stored, at)
}

// cached adds the caching headers to a fresh answer, or takes the answer that
// a shared cache holds in its place. The caller holds the lock.
func (i *Issuer) cached(at Endpoint, r *http.Request, a answer) answer {
	c, now := i.caching[at], time.Now()
	c.Shared = c.Shared && r.Method != http.MethodPost // which no cache keeps an answer to
	if s, ok := i.stored[at]; ok && c.Shared && now.Sub(s.since) < c.MaxAge && !noCache(r) {
		a = s.answer
		a.header = a.header.Clone()
		a.header.Set("Age", seconds(c.Age+now.Sub(s.since)))
		return a
	}
	c.describe(&a, now)
	if c.LastModified && at == JWKS {
		a.modified = i.changed
	}
	if c.Shared {
		i.stored[at] = storedAnswer{a, now}
	}
	return a
}

// describe adds the headers that depend on the answer alone.
func (c Caching) describe(a *answer, now time.Time) {
	switch {
	case c.CacheControl != "":
		a.header.Set("Cache-Control", c.CacheControl)
	case c.MaxAge != 0:
		a.header.Set("Cache-Control", "max-age="+seconds(c.MaxAge))
	}
	if c.Expires != 0 {
		a.header.Set("Expires", now.Add(c.Expires).UTC().Format(http.TimeFormat))
	}
	if c.Age != 0 {
		a.header.Set("Age", seconds(c.Age))
	}
	if c.ETag || c.WeakETag {
		sum := sha256.Sum256(a.body)
		tag := fmt.Sprintf(`"%x"`, sum[:8])
		if c.WeakETag {
			tag = "W/" + tag
		}
		a.header.Set("ETag", tag)
	}
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(d/time.Second), 10)
}
