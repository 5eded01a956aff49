package oidcauth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

const (
	// pollInterval is how soon another process's change is noticed when no
	// token brings it to notice earlier.
	pollInterval = 5 * time.Second

	openTimeout = 30 * time.Second
)

// A LocalKey is one key of a [LocalIssuer].
type LocalKey struct {
	ID        string           // RFC 7638 thumbprint
	State     string           // "active" signs, "next" will, "retired" verifies only
	Imported  bool             // see LocalIssuer.Import
	Created   time.Time        // when it was made or imported
	Retired   time.Time        // zero unless retired
	KeepUntil time.Time        // when a retired key is let go of; zero for never
	Public    crypto.PublicKey // an [*ecdsa.PublicKey]
}

// Keys describes the keys, imported ones first, then by age.
func (l *LocalIssuer) Keys() []LocalKey {
	l.mu.Lock()
	ring := l.ring.Current(l.now())
	l.mu.Unlock()
	var keys []LocalKey
	for _, k := range ring.Keys {
		keys = append(keys, LocalKey{
			ID: k.ID, State: string(k.State), Imported: k.Imported,
			Created: k.Created, Retired: k.Retired, KeepUntil: k.KeepUntil, Public: k.Public,
		})
	}
	return keys
}

// Rotate changes the key that signs. The new one has been published since the
// rotation before, or since the beginning, so that whoever fetched the keys in
// the meantime knows it already; the old one verifies until the last token it
// can have signed has expired, for ever if tokens may never expire. Two
// rotations within an hour make others fetch the keys again, and make a key
// that was stolen with the directory sign no more.
//
// Processes that share the directory follow within seconds, and at once when
// they see a token under a key they do not know. With an external signer the
// key is not ours to change, and Rotate is an error.
func (l *LocalIssuer) Rotate(ctx context.Context) error {
	return l.update(ctx, "key rotated", func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, err := r.Rotate(l.now())
		return r, true, err
	})
}

// Import makes tokens good that were signed with another key of the same
// issuer, those of a SpacetimeDB server that this one replaces above all: they
// bear no key ID and, with [LocalIssuerConfig.NoExpiry], no expiry. The key is
// PEM text, private (PKCS#8 or SEC 1) or public; since it only verifies, only
// its public half is kept. It is trusted until it is removed. The result is its
// ID.
func (l *LocalIssuer) Import(ctx context.Context, pem []byte) (keyID string, err error) {
	public, err := keyring.ParsePEM(pem)
	if err != nil {
		return "", fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	err = l.update(ctx, "key imported", func(r keyring.Ring) (keyring.Ring, bool, error) {
		before := len(r.Keys)
		r, keyID, err = r.Import(public, l.now())
		return r, len(r.Keys) != before, err
	})
	return keyID, err
}

// Remove ends trust in a retired key, and with it in every token it signed.
func (l *LocalIssuer) Remove(ctx context.Context, keyID string) error {
	return l.update(ctx, "key removed", func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, err := r.Remove(keyID)
		return r, true, err
	})
}

func (l *LocalIssuer) update(ctx context.Context, what string, change func(keyring.Ring) (keyring.Ring, bool, error)) error {
	if l.dir == nil {
		return errors.New("oidcauth: local issuer: the keys are not in a directory, want LocalIssuerConfig.Dir to change them")
	}
	ring, err := l.dir.Update(ctx, change)
	if err == nil {
		err = l.adopt(ring)
	}
	if err != nil {
		return fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	l.logger.LogAttrs(ctx, slog.LevelInfo, what, slog.String("issuer", l.url), slog.String("signing_key", ring.Active().ID))
	return nil
}

// Close ends the watch over the directory. Tokens can still be issued, and
// Authenticators go on accepting them.
func (l *LocalIssuer) Close() error {
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.polls.Wait()
	return nil
}

// openRing opens the directory, or describes the signer.
func (l *LocalIssuer) openRing(cfg LocalIssuerConfig) (keyring.Ring, error) {
	if cfg.Dir == "" {
		return externalRing(cfg, l.now())
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	var err error
	if cfg.URL == "" {
		l.dir, err = keyring.Open(cfg.Dir)
	} else {
		l.dir, err = keyring.OpenOrCreate(ctx, cfg.Dir, l.now())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: want LocalIssuerConfig.URL to make new keys", err)
	}
	if err != nil {
		return keyring.Ring{}, err
	}
	return l.dir.Update(ctx, func(r keyring.Ring) (keyring.Ring, bool, error) {
		return r.Admit(cfg.URL, l.maxLifetime, l.noExpiry)
	})
}

// adopt makes a ring the one in use unless a newer one is.
func (l *LocalIssuer) adopt(ring keyring.Ring) error {
	signing, err := l.newSigning(ring.Active())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ring.Generation < l.ring.Generation {
		return nil
	}
	l.ring = ring
	l.elsewhere.adopt(ring, l.external != nil)
	if err := l.publish(); err != nil {
		return err
	}
	l.signing.Store(signing)
	return nil
}

// publish brings the key sets of all Authenticators up to date. The lock must
// be held.
func (l *LocalIssuer) publish() error {
	jwks, err := publicKeys(l.ring.Current(l.now()))
	if err != nil || string(jwks) == string(l.jwks) {
		return err
	}
	l.jwks = jwks
	for set := range l.sets {
		if err := set.Adopt(jwks); errors.Is(err, keyset.ErrClosed) {
			delete(l.sets, set)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// publicKeys returns the ring as a JSON Web Key Set (RFC 7517, section 5).
func publicKeys(ring keyring.Ring) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range ring.Keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: localAlgorithm, Use: "sig"})
	}
	return json.Marshal(set)
}

// newKeySet returns a key set that follows the ring.
func (l *LocalIssuer) newKeySet(cfg keyset.Config) (*keyset.Set, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cfg.Fixed = l.jwks
	set, err := keyset.New(cfg)
	if err == nil {
		l.sets[set] = struct{}{}
	}
	return set, err
}

// forget lets go of the key set of an Authenticator that was closed.
func (l *LocalIssuer) forget(set *keyset.Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sets, set)
}

func (l *LocalIssuer) startPolling() {
	if l.dir == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(pollInterval, l.poll)
}

// poll runs on the timer's goroutine and ends with it.
func (l *LocalIssuer) poll() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.polls.Add(1)
	l.mu.Unlock()
	defer l.polls.Done()
	l.reread(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.timer.Reset(pollInterval)
	}
}

// reread looks what other processes made of the directory, unless, seen from
// outside, nothing was made of it. Everybody who comes meanwhile waits: their
// key may be the one that is being read. A directory that cannot be read
// changes nothing.
func (l *LocalIssuer) reread(always bool) {
	if l.dir == nil {
		return
	}
	l.reading.Lock()
	defer l.reading.Unlock()
	found := l.dir.Stat() // before the reading, so that what changes meanwhile is noticed next time
	if !always && found.Same(l.found) {
		return
	}
	l.found = found
	ring, err := l.dir.Load()
	if err == nil && ring.Issuer != l.url {
		err = fmt.Errorf("the keys are those of issuer %s, want %s", quote(ring.Issuer), quote(l.url))
	}
	if err == nil {
		err = l.adopt(ring)
	}
	first := err != nil && !l.failing
	l.failing = err != nil
	if first {
		l.logger.LogAttrs(context.Background(), slog.LevelError, "key directory not readable, the keys in memory go on serving",
			slog.String("issuer", l.url), slog.String("error", err.Error()))
	}
}
