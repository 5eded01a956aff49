package verify

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// ownKeys is an issuer in this process whose keys have signed nothing without key ID.
type ownKeys struct{}

func (ownKeys) Refresh() error                  { return nil }
func (ownKeys) SignsWithoutID(*keyset.Key) bool { return false }

// A token that was good before is so under the same public key alone, if that may have
// signed it by the description as it is now.
func TestRecognize(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	set, again, other := newSet(t, nil, s), newSet(t, nil, s), newSet(t, nil, newSigner(t, "k1"))
	for _, tt := range []struct {
		name      string
		set       *keyset.Set // by which the token is judged now
		algorithm string
		keyID     jws.KeyID
		local     Local
		want      error
	}{
		{"the key itself", set, "EdDSA", jws.Named("k1"), nil, nil},
		{"the same from elsewhere", again, "EdDSA", jws.Named("k1"), nil, nil},
		{"another under its ID", other, "EdDSA", jws.Named("k1"), nil, refusal.ErrUnknownKey},
		{"another algorithm", set, "ES256", jws.Named("k1"), nil, refusal.ErrUnknownKey},
		{"without key ID", set, "EdDSA", jws.KeyID{}, nil, nil},
		{"without key ID, of an issuer here", set, "EdDSA", jws.KeyID{}, ownKeys{}, refusal.ErrUnknownKey},
		{"with key ID, of an issuer here", set, "EdDSA", jws.Named("k1"), ownKeys{}, nil},
	} {
		trust := newTrust(tt.set, nil)
		trust.Local = tt.local
		e := new(Evaluation)
		e.Trust, e.Candidates = trust, tt.set.PeekAll()
		e.Token.Algorithm, e.Token.KeyID = tt.algorithm, tt.keyID
		err := e.Recognize(set.PeekAll()[0])
		if !errors.Is(err, tt.want) || (e.Key != nil) != (tt.want == nil) {
			t.Errorf("%s: Recognize() error = %v, key %v, want %v", tt.name, err, e.Key, tt.want)
		}
	}
}
