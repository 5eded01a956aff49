package keyset

import (
	"sync"
	"sync/atomic"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// maxPrepared bounds how many of a set's keys are prepared at a time, and with that
// what strangers' issuers can have kept: a prepared key takes up to 1.3 KiB
// ([sigcheck.RSA.Bytes]). No issuer is known to sign with so many; keys beyond them
// verify all the same, in the time that the standard library takes.
const maxPrepared = 16

// preparedKeys counts the prepared keys of a set.
type preparedKeys struct {
	mu    sync.Mutex // held while a key is prepared or discarded
	count atomic.Int32
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
// comes of it. While there are too many prepared keys, or another is being prepared,
// it leaves that to a later token.
func (k *Key) prepare(t *jws.Token) {
	p := &k.set.prepared
	if p.count.Load() >= maxPrepared || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if k.tried.Load() || k.removed.Load() || p.count.Load() >= maxPrepared {
		return
	}
	k.tried.Store(true)
	if k.Prepare(t) == nil {
		p.count.Add(1)
	}
}

// discard makes room for other prepared keys. The key must be marked as removed, so
// that it is not prepared once more.
func (k *Key) discard() {
	p := &k.set.prepared
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.Discard() {
		p.count.Add(-1)
	}
}
