package keyset

import (
	"sync"
	"sync/atomic"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// maxPrepared bounds the bytes that a set's prepared keys take, which strangers' issuers
// could have kept: no key is prepared beyond it, so that there are at most 23 RSA keys of
// 2048 bits or 13 of 4096. No issuer is known to sign with so many; further keys
// verify all the same, in the time that the standard library takes.
const maxPrepared = 16 << 10

// preparedKeys counts what the prepared keys of a set take.
type preparedKeys struct {
	mu    sync.Mutex // held while a key is prepared or discarded
	bytes atomic.Int64
}

// Verify is [jws.Key.Verify]. The first signature that turns out good, by the
// standard library's verdict, prepares the key for those to come.
//
// Not when a key is published, but when it has signed: only then there is an answer
// to hold the prepared key to, and who publishes keys that sign nothing causes no work.
func (k *Key) Verify(t *jws.Token) error {
	err := k.Key.Verify(t)
	if err == nil && !k.tried.Load() {
		k.prepare(t)
	}
	return err
}

// prepare prepares the key by a token that it has signed, once and for all whatever
// comes of it. While the prepared keys take too much, or another is being prepared,
// it leaves that to a later token.
func (k *Key) prepare(t *jws.Token) {
	p := &k.set.prepared
	if p.bytes.Load() >= maxPrepared || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if k.tried.Load() || k.removed.Load() || p.bytes.Load() >= maxPrepared {
		return
	}
	k.tried.Store(true)
	if k.Prepare(t) == nil {
		p.bytes.Add(int64(k.Prepared()))
	}
}

// discard makes room for other prepared keys. The key must be marked as removed, so
// that it is not prepared once more.
func (k *Key) discard() {
	p := &k.set.prepared
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes.Add(-int64(k.Discard()))
}
