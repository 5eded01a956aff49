// Package keyring keeps the signing keys of an issuer of one's own: one that
// signs, the next one, which is published before it signs, and the former ones,
// which verify as long as there are tokens signed with them. It keeps them in a
// directory that several processes may share.
package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrRing is the refusal of a ring, of a directory or of a key; the error that
// wraps it says why.
var ErrRing = errors.New("key ring not usable")

// A refusal is the reason for which a change, or somebody's key, is refused. It counts as an
// [ErrRing] and has not its words: the ring is as good as before, and whoever reads that it
// is not usable may put an older copy back.
type refusal struct{ error }

func refused(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func (r refusal) Is(target error) bool { return target == ErrRing }
func (r refusal) Unwrap() error        { return r.error }

// A State is what a key is there for.
type State string

const (
	Active  State = "active"  // signs
	Next    State = "next"    // published, signs after the next rotation
	Retired State = "retired" // verifies tokens signed earlier, or elsewhere
)

// UnreadLimit is how long a process goes on with the keys that it knows, and signs with
// them, while it cannot read the directory.
const UnreadLimit = 24 * time.Hour

const (
	maxKeys     = 500
	maxImported = 8

	// maxIdle is beyond how many keys none is kept for longer than its tokens live. A
	// server that does not know the issuer reads 64 KiB, which are 319 keys.
	maxIdle = 300

	// largestLeeway is for how long a token may be accepted that has expired.
	largestLeeway = 10 * time.Minute

	// retention is how much longer than its tokens a key is kept: a process that cannot
	// read the directory does not hear that the key was retired, and there is the
	// largest leeway.
	retention = UnreadLimit + largestLeeway

	// maxGone bounds what is remembered of keys that are no more: rotations
	// once an hour for more than a year. Then the oldest is dropped.
	maxGone = 10_000
)

// A Key is one key of a ring. It never changes.
type Key struct {
	ID        string
	State     State
	Imported  bool // from elsewhere; its tokens may bear no key ID
	Created   time.Time
	Retired   time.Time // zero unless retired
	KeepUntil time.Time // zero: until it is removed
	Public    *ecdsa.PublicKey
	Private   *ecdsa.PrivateKey // nil once retired

	secret []byte // see TicketSecret; kept here once Private is gone
}

// A Ring is what a directory holds at one moment. It never changes; its methods
// return another ring.
type Ring struct {
	ID         string        // random, the same for the ring's life; empty in a file of version 1
	Generation int           // one more with each change
	Issuer     string        // whose keys they are; empty until known
	Longest    time.Duration // for which tokens were ever issued
	NoExpiry   bool          // tokens may have been issued that never expire
	Keys       []Key         // imported ones first, then by age
	Gone       []string      // IDs of former keys, which are never trusted again; oldest first
}

// New returns a ring with a key that signs and the next one.
func New(now time.Time) (Ring, error) {
	active, err := newKey(Active, now)
	if err != nil {
		return Ring{}, err
	}
	next, err := newKey(Next, now)
	return Ring{ID: rand.Text(), Generation: 1, Keys: []Key{active, next}}, err
}

func newKey(state State, now time.Time) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, err
	}
	id, err := Thumbprint(&private.PublicKey)
	return Key{ID: id, State: state, Created: stamp(now), Public: &private.PublicKey, Private: private}, err
}

// stamp cuts a time to what the file holds.
func stamp(t time.Time) time.Time { return t.Round(0).UTC().Truncate(time.Second) }

// Thumbprint returns a public key's name (RFC 7638, SHA-256).
func Thumbprint(public crypto.PublicKey) (string, error) {
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRing, err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Active returns the key that signs.
func (r Ring) Active() Key {
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.State == Active })
	return r.Keys[i]
}

// Current returns the ring without the keys, and the secrets of keys, that have
// served their time.
func (r Ring) Current(now time.Time) Ring {
	keys := make([]Key, 0, len(r.Keys))
	for _, k := range r.Keys {
		if !k.KeepUntil.IsZero() && now.After(k.KeepUntil) {
			r.Gone = withGone(r.Gone, k.ID)
			continue
		}
		if !k.SignsTickets(now) {
			k.secret = nil
		}
		keys = append(keys, k)
	}
	r.Keys = keys
	return r
}

// withGone adds IDs to a list, of which it changes nothing.
func withGone(gone []string, ids ...string) []string {
	gone = slices.Concat(gone, ids)
	return gone[max(0, len(gone)-maxGone):]
}

// Published returns the keys in the order in which others are to know them: whoever does
// not know the issuer reads the first of many only, and tries fewer still on a token
// without key ID, which the imported ones have signed. After these comes the key that
// signs, the one that will, and the retired ones from the youngest to the oldest.
func (r Ring) Published() []Key {
	keys := make([]Key, 0, len(r.Keys))
	add := func(k Key, wanted bool) {
		if wanted {
			keys = append(keys, k)
		}
	}
	for _, k := range r.Keys {
		add(k, k.Imported)
	}
	for _, state := range [...]State{Active, Next} {
		for _, k := range r.Keys {
			add(k, k.State == state)
		}
	}
	for _, k := range slices.Backward(r.Keys) {
		add(k, k.State == Retired && !k.Imported)
	}
	return keys
}

// Rotate makes the next key sign, retires the one that signed, and adds a new
// next key. Tokens of all three are good. Where there are many keys the oldest go early
// whose own tokens have expired.
func (r Ring) Rotate(now time.Time) (Ring, error) {
	fresh, err := newKey(Next, now)
	if err != nil {
		return Ring{}, err
	}
	if r, err = r.Current(now).withRoom(now); err != nil {
		return Ring{}, err
	}
	for i := range r.Keys {
		switch k := &r.Keys[i]; k.State {
		case Active:
			if err := r.retire(k, now); err != nil {
				return Ring{}, err
			}
		case Next:
			k.State = Active
		}
	}
	r.Keys = append(r.Keys, fresh)
	return r, nil
}

// withRoom returns the ring with room for another key. The day for which retired keys are
// kept, in case that a process cannot read the directory, is not worth more keys than
// others read, let alone an error: the oldest go before, once nothing that was signed in
// time can be good.
func (r Ring) withRoom(now time.Time) (Ring, error) {
	n := len(r.Keys)
	var gone []string
	r.Keys = slices.DeleteFunc(slices.Clone(r.Keys), func(k Key) bool {
		goes := n-len(gone) >= maxIdle && r.outlivedTokens(k, now)
		if goes {
			gone = append(gone, k.ID)
		}
		return goes
	})
	if len(r.Keys) >= maxKeys {
		return Ring{}, refused("got %d keys, want less than %d: remove some that are retired", n, maxKeys)
	}
	r.Gone = withGone(r.Gone, gone...)
	return r, nil
}

// outlivedTokens reports whether all that a retired key has signed until it was known to
// be retired has expired. It is kept until later where another copy of the directory
// signed with it for longer.
func (r Ring) outlivedTokens(k Key, now time.Time) bool {
	return k.State == Retired && !k.KeepUntil.IsZero() &&
		now.After(k.Retired.Add(r.Longest).Add(largestLeeway)) && now.After(k.KeepUntil.Add(-UnreadLimit))
}

// retire makes a key of the ring sign no more. All that is left of its private
// half is what opens its last tickets.
func (r Ring) retire(k *Key, now time.Time) (err error) {
	if k.secret, err = ticketSecret(k.Private); err != nil {
		return err
	}
	k.State, k.Private, k.Retired, k.KeepUntil = Retired, nil, stamp(now), r.keepUntil(now)
	return nil
}

// keepUntil returns until when a key is kept that signs no more from now on, or the
// zero time for ever.
func (r Ring) keepUntil(now time.Time) time.Time {
	if r.NoExpiry {
		return time.Time{}
	}
	return stamp(now.Add(r.Longest).Add(retention)) // whose sum may be more than a Duration holds
}

// Import adds a key whose tokens were signed elsewhere. It only verifies, so
// its private half is not wanted. One that was imported already changes nothing, one
// that the ring has retired is kept from now on as if it came from elsewhere, and one
// that was there once, or is to sign here, is an error.
func (r Ring) Import(public *ecdsa.PublicKey, now time.Time) (Ring, string, error) {
	if err := CheckPublic(public); err != nil {
		return Ring{}, "", err
	}
	id, err := Thumbprint(public)
	if err != nil {
		return Ring{}, "", err
	}
	k, others, err := r.importable(id, now)
	if err != nil || k.Imported {
		return r, id, err
	}
	imported := 0
	for _, other := range others {
		if other.Imported {
			imported++
		}
	}
	if imported == maxImported {
		return Ring{}, "", refused("got %d imported keys already, want %d at most", imported, maxImported)
	}
	k = Key{ID: id, State: Retired, Imported: true, Created: stamp(now), Retired: stamp(now), Public: public}
	r.Keys = slices.Insert(others, imported, k)
	return r, id, nil
}

// importable returns the key of that ID, if it is there, and the others, or why a key of
// that ID is not imported.
func (r Ring) importable(id string, now time.Time) (k Key, others []Key, err error) {
	if slices.Contains(r.Current(now).Gone, id) {
		return k, nil, refused("key %q was removed, and is never trusted again", id)
	}
	for _, other := range r.Keys {
		if other.ID == id {
			k = other
		} else {
			others = append(others, other)
		}
	}
	if k.State == Active || k.State == Next {
		err = refused("key %q is %s here, and not another's", id, k.State)
	}
	return k, others, err
}

// Remove ends trust in a retired key at once and for good.
func (r Ring) Remove(id string) (Ring, error) {
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Ring{}, refused("no key has the ID %q", id)
	}
	if r.Keys[i].State != Retired {
		return Ring{}, refused("key %q is %s: rotate until it is retired", id, r.Keys[i].State)
	}
	r.Keys = slices.Delete(slices.Clone(r.Keys), i, i+1)
	r.Gone = withGone(r.Gone, id)
	return r, nil
}

// Admit notes whose keys they are and how long tokens may live. It reports
// whether that is news.
func (r Ring) Admit(issuer string, longest time.Duration, noExpiry bool) (Ring, bool, error) {
	if issuer != "" && r.Issuer != "" && issuer != r.Issuer {
		return Ring{}, false, refused("the keys are those of issuer %q, want %q", r.Issuer, issuer)
	}
	before := r
	if issuer != "" {
		r.Issuer = issuer
	}
	r.Longest = max(r.Longest, longest)
	r.NoExpiry = r.NoExpiry || noExpiry
	changed := r.Issuer != before.Issuer || r.Longest != before.Longest || r.NoExpiry != before.NoExpiry
	return r, changed, nil
}

// check refuses a ring that Rotate, Import and Remove cannot have made.
func (r Ring) check() error {
	counts := map[State]int{}
	seen := map[string]bool{}
	for _, k := range r.Keys {
		if err := k.check(); err != nil {
			return err
		}
		if seen[k.ID] {
			return fmt.Errorf("%w: key %q comes twice", ErrRing, k.ID)
		}
		seen[k.ID] = true
		counts[k.State]++
	}
	for _, id := range r.Gone {
		if seen[id] {
			return fmt.Errorf("%w: key %q is there and gone", ErrRing, id)
		}
	}
	if counts[Active] != 1 || counts[Next] != 1 {
		return fmt.Errorf("%w: got %d active and %d next keys, want one of each", ErrRing, counts[Active], counts[Next])
	}
	return nil
}

func (k Key) check() error {
	if k.State != Active && k.State != Next && k.State != Retired {
		return fmt.Errorf("%w: key of state %q", ErrRing, k.State)
	}
	if k.Imported && k.State != Retired {
		return fmt.Errorf("%w: imported key %q is %s", ErrRing, k.ID, k.State)
	}
	if len(k.secret) > 0 && (k.State != Retired || k.Imported || len(k.secret) != secretBytes) {
		return fmt.Errorf("%w: %s key %q: ticket secret of %d bytes", ErrRing, k.State, k.ID, len(k.secret))
	}
	if (k.Private != nil) != (k.State != Retired) {
		return fmt.Errorf("%w: %s key %q: private half: got %t", ErrRing, k.State, k.ID, k.Private != nil)
	}
	if err := CheckPublic(k.Public); err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrRing, k.ID, err)
	}
	if k.Private != nil && !isPair(k.Private, k.Public) {
		return fmt.Errorf("%w: key %q is damaged: its private half is another key's", ErrRing, k.ID)
	}
	id, err := Thumbprint(k.Public)
	if err == nil && id != k.ID {
		err = fmt.Errorf("%w: key ID: got %q, want %q", ErrRing, k.ID, id)
	}
	return err
}

// isPair reports whether the private half is that of the public one. A key that says
// both may say what does not belong together.
func isPair(private *ecdsa.PrivateKey, public *ecdsa.PublicKey) bool {
	secret, err := private.ECDH()
	if err != nil {
		return false
	}
	point, err := public.ECDH()
	return err == nil && secret.PublicKey().Equal(point)
}

// CheckPublic refuses keys that ES256 cannot use.
func CheckPublic(public *ecdsa.PublicKey) error {
	if public == nil || public.Curve != elliptic.P256() {
		return refused("got a key that is not on the curve P-256, which ES256 needs")
	}
	//lint:ignore SA1019 Bytes, which stands in for X and Y, panics without them
	if public.X == nil || public.Y == nil {
		return refused("got a key without a point")
	}
	if _, err := public.Bytes(); err != nil {
		return refused("%w", err)
	}
	return nil
}
