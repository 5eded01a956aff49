package localissuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A device keeps a key and does with it what the test wants.
type device struct {
	*ecdsa.PrivateKey
	mu   sync.Mutex // guards what follows
	does func(key *ecdsa.PrivateKey, sum []byte) ([]byte, error)
}

func (d *device) Sign(_ io.Reader, sum []byte, _ crypto.SignerOpts) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.does(d.PrivateKey, sum)
}

func (d *device) set(does func(*ecdsa.PrivateKey, []byte) ([]byte, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.does = does
}

// A pointless signer has a public key that somebody forgot to fill in.
type pointless struct{ crypto.Signer }

func (pointless) Public() crypto.PublicKey { return &ecdsa.PublicKey{Curve: elliptic.P256()} }

// works signs as it should.
func works(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, key, sum)
}

// numbers returns two numbers in the form of a signature.
func numbers(r, s *big.Int) ([]byte, error) {
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}

// A signer that fails, panics or returns something else than a signature by its key
// issues nothing, and nobody gets a part of it. Once it works, all is well.
func TestIssuer_SignerFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("device not ready")
	other := newKey(t)
	d := &device{PrivateKey: newKey(t), does: works}
	l := newLocal(t, localissuer.Config{Signer: d})
	a := trusting(t, l)
	claims := authenticate(t, a, issue(t, l, localissuer.Request{}))
	for _, tt := range []struct {
		name string
		does func(*ecdsa.PrivateKey, []byte) ([]byte, error)
		want []error
	}{
		{"works", works, nil},
		{"fails", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { return nil, broken }, []error{broken}},
		{"fails, and returns a signature", func(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
			signature, _ := works(key, sum)
			return signature, broken
		}, []error{broken}},
		{"panics", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { panic("pin 1234") }, []error{panics.Err}},
		{"returns nothing", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { return nil, nil }, []error{}},
		{"returns noise", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { return []byte("pin 1234"), nil }, []error{}},
		{"signs with another key", func(_ *ecdsa.PrivateKey, sum []byte) ([]byte, error) { return works(other, sum) }, []error{}},
		{"signs something else", func(key *ecdsa.PrivateKey, _ []byte) ([]byte, error) { return works(key, make([]byte, 32)) }, []error{}},
		{"returns more than a signature", func(key *ecdsa.PrivateKey, sum []byte) ([]byte, error) {
			signature, err := works(key, sum)
			return append(signature, 0), err
		}, []error{}},
		{"returns numbers of zero", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { return numbers(new(big.Int), new(big.Int)) }, []error{}},
		{"returns numbers below zero", func(*ecdsa.PrivateKey, []byte) ([]byte, error) { return numbers(big.NewInt(-1), big.NewInt(-1)) }, []error{}},
		{"returns numbers that are too long", func(*ecdsa.PrivateKey, []byte) ([]byte, error) {
			long := new(big.Int).Lsh(big.NewInt(1), 300)
			return numbers(long, long)
		}, []error{}},
		{"works again", works, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.set(tt.does)
			token, id, tokenErr := l.Issue(t.Context(), localissuer.Request{})
			ticket, ticketErr := l.Ticket(from(), claims, "chat")
			d.set(works)
			if tt.want == nil {
				if _, err := a.AuthenticateTicket(from(), ticket, "chat"); tokenErr != nil || ticketErr != nil || err != nil {
					t.Fatalf("errors = %v, %v, %v", tokenErr, ticketErr, err)
				}
				if c := authenticate(t, a, token); c.Identity() != id {
					t.Errorf("the token is %v's, want %v", c.Identity(), id)
				}
				return
			}
			if token != "" || ticket != "" || id != (identity.Identity{}) {
				t.Errorf("got token %q, ticket %q, identity %v, want nothing", token, ticket, id)
			}
			for what, err := range map[string]error{"Issue()": tokenErr, "Ticket()": ticketErr} {
				for _, want := range append(tt.want, oidcauth.ErrKeysUnavailable) {
					if !errors.Is(err, want) {
						t.Errorf("%s error = %v, want %v", what, err, want)
					}
				}
				if err != nil && (strings.Contains(err.Error(), "1234") || !strings.Contains(err.Error(), "Config.Signer")) {
					t.Errorf("%s error = %v, want Config.Signer named and nothing of what it said", what, err)
				}
			}
		})
	}
}

// keyless is a signer that shows this key, or panics.
type keyless struct {
	crypto.Signer
	public func() crypto.PublicKey
}

func (k keyless) Public() crypto.PublicKey { return k.public() }

// A signer without a key that can verify its tokens is noticed at the beginning.
func TestNew_SignerWithoutKey(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, tt := range map[string]struct {
		signer crypto.Signer
		good   bool
	}{
		"a key":               {keyless{key, key.Public}, true},
		"none":                {keyless{key, func() crypto.PublicKey { return nil }}, false},
		"a pointer to none":   {keyless{key, func() crypto.PublicKey { return (*ecdsa.PublicKey)(nil) }}, false},
		"the key by value":    {keyless{key, func() crypto.PublicKey { return key.PublicKey }}, false},
		"a panic":             {keyless{key, func() crypto.PublicKey { panic("no key") }}, false},
		"a pointer to no key": {(*ecdsa.PrivateKey)(nil), false},
	} {
		l, err := localissuer.New(localissuer.Config{URL: "localhost", Audiences: []string{testAudience}, Signer: tt.signer})
		if (err == nil) != tt.good || (l != nil) != tt.good || err != nil && !strings.Contains(err.Error(), "Config.Signer") {
			t.Errorf("%s: New() = %v, %v, want success = %t, and Config.Signer named else", name, l, err, tt.good)
		}
	}
}

// Servers that change to another signer, one after the other, accept each other's tokens
// if its key was among those of RetiredKeys before.
func TestConfig_RetiredKeys_SignerToCome(t *testing.T) {
	t.Parallel()
	former, next := newKey(t), newKey(t)
	server := func(signs, other crypto.Signer) (*localissuer.Issuer, *oidcauth.Authenticator) {
		l := newLocal(t, localissuer.Config{Signer: signs, RetiredKeys: []crypto.PublicKey{other.Public()}})
		return l, trusting(t, l)
	}
	one, atOne := server(former, next)
	two, atTwo := server(next, former)
	wants(t, atOne, issue(t, two, localissuer.Request{}), nil)
	wants(t, atTwo, issue(t, one, localissuer.Request{}), nil)
	if !slices.Contains(keyIDs(one), active(two)) {
		t.Error("the key of the signer to come is not published")
	}
}
