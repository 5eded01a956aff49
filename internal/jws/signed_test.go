package jws_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A key can have signed what it permits the algorithm of, with a signature as long as it
// makes them.
func TestKey_CanHaveSigned(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
		good := signatureOf(t, token)
		for _, other := range algorithms {
			key := testKey(t, other)
			if got, want := key.CanHaveSigned(parsed(t, token)), key.Permits(alg); got != want {
				t.Errorf("a key for %s can have signed by %s: %t, want %t", other, alg, got, want)
			}
			meant, err := jws.NewKey("", other, "", nil, testSigner(t, other).Public())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := meant.CanHaveSigned(parsed(t, token)), alg == other; got != want {
				t.Errorf("a key for %s alone can have signed by %s: %t, want %t", other, alg, got, want)
			}
		}
		for name, signature := range map[string][]byte{"a byte less": good[1:], "a byte more": append(good[:len(good):len(good)], 0), "a byte": good[:1]} {
			if testKey(t, alg).CanHaveSigned(parsed(t, withSignature(token, signature))) {
				t.Errorf("%s: it can have signed with %s", alg, name)
			}
		}
		if testKey(t, alg).CanHaveSigned(new(jws.Token)) {
			t.Errorf("%s: it can have signed a token that was not parsed", alg)
		}
	}
	for _, alg := range []string{"none", "HS256", "es256"} {
		token := sign(t, "ES256", testSigner(t, "ES256"), headerFor(alg), goodPayload)
		if testKey(t, "ES256").CanHaveSigned(parsed(t, token)) {
			t.Errorf("a key can have signed by %s", alg)
		}
	}
}

// A Token that is used again after a longer signature than usual has the next one's own.
func TestParse_LongSignatureBefore(t *testing.T) {
	t.Parallel()
	token := signed(t, goodHeader, goodPayload)
	var again jws.Token
	for _, tt := range []struct {
		text string
		want error
	}{{token, nil}, {withSignature(token, make([]byte, 513)), jws.ErrSignature}, {token, nil}} {
		if err := form(&again, tt.text, maxBytes); err != nil {
			t.Fatal(err)
		}
		if err := testKey(t, "ES256").Verify(&again); !errors.Is(err, tt.want) {
			t.Errorf("Verify() error = %v, want %v", err, tt.want)
		}
	}
}

// A signature of ES512 verifies where its form in DER is about as long as one byte can
// say. Since none comes so short by chance, the key is made for the signature.
func TestVerify_ShortECDSA(t *testing.T) {
	t.Parallel()
	const size = 66
	curve := elliptic.P521()
	n := curve.Params().N
	input := encode(headerFor("ES512")) + "." + encode(goodPayload)
	digest := sha512.Sum512([]byte(input))
	var k, r *big.Int
	for once := true; once || r.BitLen() != 521; once = false { // 66 bytes
		nonce, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := nonce.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		point, err := nonce.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		k, r = new(big.Int).SetBytes(secret), new(big.Int).SetBytes(point[1:1+size])
	}
	for _, length := range []int{56, 57, 58, 59, 60} { // of S: 58 makes 128 bytes in all
		s := new(big.Int).SetBytes(bytes.Repeat([]byte{0x55}, length))
		d := new(big.Int).Mul(s, k)
		d.Sub(d, new(big.Int).SetBytes(digest[:]))
		d.Mul(d, new(big.Int).ModInverse(r, n)).Mod(d, n)
		private, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		key, err := jws.NewKey("k1", "", "", nil, private.Public())
		if err != nil {
			t.Fatal(err)
		}
		signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		if err := verify(t, key, input+"."+encode(string(signature))); err != nil {
			t.Errorf("S of %d bytes: Verify() error = %v", length, err)
		}
	}
}

// A refusal says that there is no signature, rather than that it is wrong.
func TestVerifyBytes_NoSignature(t *testing.T) {
	t.Parallel()
	key := testKey(t, "ES256")
	for says, signature := range map[string][]byte{": no signature": nil, "": {1}} {
		err := key.VerifyBytes("ES256", []byte("text"), signature)
		if !errors.Is(err, jws.ErrSignature) || err.Error() != jws.ErrSignature.Error()+says {
			t.Errorf("VerifyBytes() of %d bytes: error = %v, want %v%s", len(signature), err, jws.ErrSignature, says)
		}
	}
}

// Of too many parts it is said whether they are those of an encrypted token.
func TestParse_Parts(t *testing.T) {
	t.Parallel()
	const encrypted, more = "encrypted token (JWE, five parts)", "more than three parts"
	for token, want := range map[string]string{
		"a.b.c.d": more, "a.b..c": more, "a.b...": encrypted, "a.b.c.d.e": encrypted, "a.b..d.e": encrypted, "a.b.c..e": encrypted, "a.b.c.d.": encrypted,
		"a.b.c.d.e.f": more, "a.b.c.d..f": more, "a.b.....": more,
	} {
		if err := parse(t, token); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s) error = %v, want %s", token, err, want)
		}
	}
}
