package localissuer

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hidden"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A Key is one key of an [Issuer].
type Key struct {
	ID        string           // RFC 7638 thumbprint
	State     string           // "active" signs, "next" will, "retired" verifies only
	Imported  bool             // see Issuer.Import
	Created   time.Time        // when it was made or imported
	Retired   time.Time        // zero unless retired
	KeepUntil time.Time        // when a retired key is let go of; zero for never
	Public    crypto.PublicKey // an [*ecdsa.PublicKey]
}

// Keys describes the keys, imported ones first, then by age.
func (l *Issuer) Keys() []Key {
	if !l.isMade() {
		return nil
	}
	l.mu.Lock()
	ring := l.ring.Get().Current(l.now())
	l.mu.Unlock()
	var keys []Key
	for _, k := range ring.Keys {
		keys = append(keys, Key{
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
// that was stolen with the directory sign no more. Some verifiers, as Google's for
// Java, fetch once an hour at most, and refuse the tokens meanwhile.
//
// Processes that share the directory follow within seconds, and at once when
// they see a token under a key they do not know. With an external signer the
// key is not ours to change, and Rotate is an error. So it is where tokens under each
// of 500 keys may be good. Of more than 300 keys the oldest go before their time, once
// the last token that they can have signed before they were retired has expired: a
// server with [oidcauth.AnyIssuer] reads 64 KiB, which are 319 keys, and none of more.
func (l *Issuer) Rotate(ctx context.Context) error {
	return l.update(ctx, "key rotated", func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, err := r.Rotate(l.now())
		return r, true, err
	})
}

// Import makes tokens good that were signed with another key of the same
// issuer, those of a SpacetimeDB server that this one replaces above all: they
// bear no key ID and, with [Config.NoExpiry], no expiry. The key is
// PEM text, private (PKCS#8 or SEC 1) or public; since it only verifies, only
// its public half is kept. It is trusted until it is removed, and then never
// again, also one that this issuer has retired. It signs no tickets. A key that signs
// here, or is about to, is an error, and so is a ninth one. The result is the key's ID. A
// text with several keys, as [Issuer.PublicPEM] gives, is an error: import them one by one.
//
// The tokens have to be for an audience that is accepted. Those of a SpacetimeDB
// server are for "spacetimedb" and nobody else: see [Config.ImportedAudiences].
func (l *Issuer) Import(ctx context.Context, pem []byte) (keyID string, err error) {
	if err := l.misused(ctx); err != nil {
		return "", err
	}
	public, err := keyring.ParsePEM(pem)
	if err != nil {
		return "", fmt.Errorf("localissuer: %w", err)
	}
	err = l.update(ctx, "key imported", func(r keyring.Ring) (keyring.Ring, bool, error) {
		before := r.Keys
		r, keyID, err = r.Import(public, l.now())
		known := slices.ContainsFunc(before, func(k keyring.Key) bool { return k.ID == keyID && k.Imported })
		return r, !known, err
	})
	return keyID, err
}

// Remove ends trust in a retired key, and with it in every token it signed. It
// is for good: the directory and every process that knows it keep the key's ID,
// so that neither an older copy of the directory that is put back nor Import
// makes the key good again. What the copy does not know and no process has seen
// since is lost with it. Others that have fetched the keys trust it until they fetch them
// again: after five minutes, or later while no answer comes. A key that is removed already
// is no error: after one, such as that of a disk that failed, Remove may be called again
// until it is certain.
func (l *Issuer) Remove(ctx context.Context, keyID string) error {
	return l.update(ctx, "key removed", func(r keyring.Ring) (keyring.Ring, bool, error) {
		if slices.Contains(r.Gone, keyID) {
			return r, false, nil
		}
		r, err := r.Remove(keyID)
		return r, true, err
	})
}

// update changes the ring in the directory, and then the one in use. What this
// process knows beyond the directory is written there first, so that no key is
// in use that is in no directory.
func (l *Issuer) update(ctx context.Context, what string, change func(keyring.Ring) (keyring.Ring, bool, error)) error {
	if err := l.misused(ctx); err != nil {
		return err
	}
	switch {
	case l.dir == nil:
		return errors.New("localissuer: the keys are not in a directory, want Config.Dir to change them")
	case l.readOnly:
		return errReadOnly
	}
	began := time.Now()
	ring, err := l.dir.Update(ctx, func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, rejoined, err := l.rejoin(r)
		if err != nil {
			return r, false, err
		}
		r, changed, err := change(r)
		return r, changed || rejoined, err
	})
	if err == nil {
		err = l.adopt(ring)
	}
	if err != nil {
		return fmt.Errorf("localissuer: %w", err)
	}
	l.noteUpdate(began)
	l.logger.LogAttrs(ctx, slog.LevelInfo, what, slog.String("issuer", l.url), slog.String("signing_key", ring.Active().ID))
	return nil
}

// Close ends the watch over the directory. Tokens can still be issued, and
// Authenticators go on accepting them; that another process has removed a key is
// not noticed any more.
func (l *Issuer) Close() error {
	if !l.isMade() {
		return nil
	}
	l.mu.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop() // which would hold the issuer, and its keys, until it is due
	}
	l.mu.Unlock()
	l.polls.Wait()
	return nil
}

// openRing opens the directory, or describes the signer.
func (l *Issuer) openRing(cfg Config) (keyring.Ring, error) {
	if cfg.Dir == "" {
		return externalRing(cfg, l.now())
	}
	var err error
	if cfg.URL == "" || cfg.ReadOnly {
		l.dir, err = keyring.Open(cfg.Dir)
	} else {
		l.dir, err = keyring.OpenOrCreate(context.Background(), cfg.Dir, l.now())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: want Config.URL, without ReadOnly, to make new keys", err)
	}
	if err != nil {
		return keyring.Ring{}, err
	}
	l.watcher.stat, l.watcher.load = l.dir.Stat, l.dir.Load
	return l.admit(cfg)
}

// admit has the directory note how long tokens may live. One that says so
// already is not written to, and may be one that nobody can write to; nor is that of
// an issuer that is read-only.
func (l *Issuer) admit(cfg Config) (keyring.Ring, error) {
	ring, err := l.dir.Load()
	if err != nil {
		return keyring.Ring{}, err
	}
	like, changed, err := ring.Admit(cfg.URL, l.maxLifetime, l.noExpiry)
	if err != nil || l.readOnly || !changed && ring.ID != "" {
		return like, err
	}
	admitted, err := l.dir.Update(context.Background(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, changed, err := r.Admit(cfg.URL, l.maxLifetime, l.noExpiry)
		return r, changed || r.ID == "", err
	})
	if err != nil && !changed {
		// Only the form of the file is an older one, and it can stay that.
		return ring, nil
	}
	if err == nil && ring.Issuer == "" {
		l.noteNew(cfg.Dir, admitted)
	}
	return admitted, err
}

// noteNew reports keys that nobody has used before. Where there were others, on a volume
// that is not mounted for instance, all that they have signed is refused from now on.
func (l *Issuer) noteNew(dir string, ring keyring.Ring) {
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, "key directory had no keys, new ones were made",
		slog.String("issuer", ring.Issuer), slog.String("signing_key", ring.Active().ID), slog.String("dir", dir))
}

// adopt makes the directory's ring the one in use unless a newer one is.
func (l *Issuer) adopt(ring keyring.Ring) error {
	signing := l.newSigning(ring.Active())
	if err := l.adoptSigning(ring, signing, true); err != nil {
		return err
	}
	return signing.err // and keys that were removed are trusted no more all the same
}

// adoptSigning is adopt for a ring that something else than its active key may
// sign for, and that may not be in the directory. Then it cannot bring back
// trust in keys that were withdrawn.
func (l *Issuer) adoptSigning(ring keyring.Ring, signing *signing, inDirectory bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.ring.Get()
	if before.Keys != nil && !ring.Follows(before) || l.withdrawn != nil && !inDirectory {
		return nil
	}
	l.ring = hidden.Of(ring)
	l.noteRetired(before)
	if err := l.publish(); err != nil {
		return err
	}
	l.signing.Store(signing)
	return nil
}

// publish brings the published keys and all Authenticators up to date. The lock
// must be held.
func (l *Issuer) publish() error {
	jwks, err := publicKeys(l.ring.Get().Current(l.now()))
	if err != nil {
		return err
	}
	l.jwks, l.withdrawn = jwks, nil
	return l.publishToAll()
}

// PublicPEM returns the public keys as PEM text (SubjectPublicKeyInfo), a block for
// each: first the one that signs, then the one that will, then those that verify
// only. The error is [oidcauth.ErrKeysUnavailable] while the keys in memory are
// trusted no more (see [Config.Dir]).
func (l *Issuer) PublicPEM() ([]byte, error) {
	if err := l.misused(context.Background()); err != nil {
		return nil, err
	}
	l.mu.Lock()
	ring, withdrawn := l.ring.Get().Current(l.now()), l.withdrawn
	l.mu.Unlock()
	if withdrawn != nil {
		return nil, fmt.Errorf("localissuer: %w: %w", oidcauth.ErrKeysUnavailable, withdrawn)
	}
	var text []byte
	for _, state := range [...]keyring.State{keyring.Active, keyring.Next, keyring.Retired} {
		for _, k := range ring.Keys {
			if k.State != state {
				continue
			}
			der, _ := x509.MarshalPKIXPublicKey(k.Public) // no key of a ring is one that it refuses
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
		}
	}
	return text, nil
}

// publicKeys returns the ring as a JSON Web Key Set (RFC 7517, section 5), in which what
// signs stands where strangers find it.
func publicKeys(ring keyring.Ring) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range ring.Published() {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: algorithm, Use: "sig"})
	}
	return json.Marshal(set)
}
