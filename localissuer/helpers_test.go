package localissuer_test

import (
	"crypto/ecdsa"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/authtest"
)

// What the tests of all packages share, under the names that this one's use.
const testAudience = authtest.Audience

var (
	newIssuer        = authtest.NewIssuer
	newAuthenticator = authtest.NewAuthenticator
	wants            = authtest.Wants
	authenticate     = authtest.Authenticate
	newLocal         = authtest.NewLocal
	trusting         = authtest.Trusting
	issue            = authtest.Issue
	newKey           = authtest.NewKey
	privatePEM       = authtest.PrivatePEM
	revoke           = authtest.Revoke
	newCounter       = authtest.NewCounter
	at               = authtest.At
	anywhere         = authtest.Anywhere
	from             = authtest.From
)

type (
	logBuffer = authtest.Log
	counter   = authtest.Counter
)

// signAs signs a payload as a thief of the key would, or another program.
func signAs(t testing.TB, key *ecdsa.PrivateKey, typ, payload string) string {
	t.Helper()
	options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
