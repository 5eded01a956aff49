package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// verify parses a token that must be well formed and checks its signature.
func verify(t *testing.T, key *jws.Key, token string) error {
	t.Helper()
	var parsed jws.Token
	if err := form(&parsed, token, maxBytes); err != nil {
		t.Fatalf("Parse() error = %v, want none", err)
	}
	return key.Verify(&parsed)
}

func headerFor(alg string) string { return `{"alg":"` + alg + `","kid":"k1","typ":"JWT"}` }

// withSignature replaces the signature of a token.
func withSignature(token string, signature []byte) string {
	return token[:strings.LastIndexByte(token, '.')+1] + base64.RawURLEncoding.EncodeToString(signature)
}

// signatureOf returns the decoded signature of a token.
func signatureOf(t *testing.T, token string) []byte {
	t.Helper()
	signature, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// TestVerify verifies a token of each algorithm, and refuses it after every
// change to a single byte of it.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			key := testKey(t, alg)
			token := sign(t, alg, testSigner(t, alg), headerFor(alg), goodPayload)
			if err := verify(t, key, token); err != nil {
				t.Fatalf("Verify() error = %v, want none", err)
			}
			step := max(1, len(token)/60)
			for i := 0; i < len(token); i += step {
				changed := []byte(token)
				if changed[i] = 'A'; string(changed) == token {
					changed[i] = 'B'
				}
				var parsed jws.Token
				if form(&parsed, string(changed), maxBytes) == nil && key.Verify(&parsed) == nil {
					t.Errorf("Verify() accepts the token with byte %d changed", i)
				}
			}
		})
	}
}

// TestVerify_Confusion signs with one algorithm and claims another, for every
// pair, and tries every key on it.
func TestVerify_Confusion(t *testing.T) {
	t.Parallel()
	for _, signedBy := range algorithms {
		for _, claimed := range algorithms {
			token := sign(t, signedBy, testSigner(t, signedBy), headerFor(claimed), `{}`)
			for _, kind := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
				same := signedBy == claimed || (signedBy[:2] == "Ed" && claimed[:2] == "Ed")
				var want error = jws.ErrSignature
				if same && testKey(t, kind).Permits(claimed) {
					want = nil
				}
				if err := verify(t, testKey(t, kind), token); !errors.Is(err, want) {
					t.Errorf("Verify() of %s claimed as %s by a key of type %s: error = %v, want %v", signedBy, claimed, kind, err, want)
				}
			}
		}
	}
}

// TestVerify_None offers every spelling of none, and unknown algorithms, with a
// signature that is otherwise good.
func TestVerify_None(t *testing.T) {
	t.Parallel()
	for _, alg := range otherAlgorithms {
		if alg == "" || strings.Contains(alg, "\x00") {
			continue
		}
		token := signed(t, headerFor(alg), goodPayload)
		for _, kind := range []string{"RS256", "ES256", "EdDSA"} {
			if err := verify(t, testKey(t, kind), token); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("Verify() of %q: error = %v, want %v", alg, err, jws.ErrSignature)
			}
		}
	}
}

// TestVerify_PublicKeyAsSecret signs with HMAC keyed by what an attacker knows:
// the public key, in each form it is published in.
func TestVerify_PublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	public := testSigner(t, "RS256").Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), public.N.Bytes(), x509.MarshalPKCS1PublicKey(public)}
	for _, secret := range secrets {
		token := signed(t, headerFor("HS256"), goodPayload)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(token[:strings.LastIndexByte(token, '.')]))
		if err := verify(t, testKey(t, "RS256"), withSignature(token, mac.Sum(nil))); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("Verify() error = %v, want %v", err, jws.ErrSignature)
		}
	}
}

// TestVerify_ECDSA offers signatures that broken verifiers have accepted, beside
// the good one and its mirror image, which the mathematics permits.
func TestVerify_ECDSA(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512"} {
		signer := testSigner(t, alg).(*ecdsa.PrivateKey)
		token := sign(t, alg, signer, headerFor(alg), goodPayload)
		good := signatureOf(t, token)
		size := len(good) / 2
		n := signer.Params().N
		r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])
		pair := func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		zero, one, p := new(big.Int), big.NewInt(1), signer.Params().P
		tests := []struct {
			name      string
			signature []byte
			want      error
		}{
			{"good", good, nil},
			{"mirrored", pair(r, new(big.Int).Sub(n, s)), nil},
			{"both zero", pair(zero, zero), jws.ErrSignature},
			{"r zero", pair(zero, s), jws.ErrSignature},
			{"s zero", pair(r, zero), jws.ErrSignature},
			{"both one", pair(one, one), jws.ErrSignature},
			{"both n", pair(n, n), jws.ErrSignature},
			{"r is n", pair(n, s), jws.ErrSignature},
			{"s is n", pair(r, n), jws.ErrSignature},
			{"r zero, s n", pair(zero, n), jws.ErrSignature},
			{"r is n-1", pair(new(big.Int).Sub(n, one), s), jws.ErrSignature},
			{"r is p", pair(p, s), jws.ErrSignature},
			{"swapped", pair(s, r), jws.ErrSignature},
			{"all bits set", []byte(strings.Repeat("\xff", 2*size)), jws.ErrSignature},
			{"DER", der, jws.ErrSignature},
			{"a byte more", append(good[:2*size:2*size], 0), jws.ErrSignature},
			{"a byte less", good[:2*size-1], jws.ErrSignature},
			{"a zero in front of each", append(append([]byte{0}, good[:size]...), append([]byte{0}, good[size:]...)...), jws.ErrSignature},
			{"a zero in front of s", append(append(good[:size:size], 0), good[size:]...), jws.ErrSignature},
			{"r only", good[:size], jws.ErrSignature},
			{"one byte", []byte{0}, jws.ErrSignature},
		}
		for _, tt := range tests {
			if err := verify(t, testKey(t, alg), withSignature(token, tt.signature)); !errors.Is(err, tt.want) {
				t.Errorf("%s: %s: Verify() error = %v, want %v", alg, tt.name, err, tt.want)
			}
		}
	}
}

// A number of a signature may begin with zeros, all but one of its bytes, and its high bit
// may be set: whatever S is, there is a key that made it.
func TestVerify_ShortS(t *testing.T) {
	t.Parallel()
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		n, size := curve.Params().N, (curve.Params().BitSize+7)/8
		nonce, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k, err := nonce.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		point, err := nonce.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		r := new(big.Int).SetBytes(point[1 : 1+size])
		r.Mod(r, n)
		text := []byte("text")
		e := new(big.Int).SetBytes(hashOf(alg, text))
		for _, short := range []int64{1, 2, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x8000} {
			s := big.NewInt(short)
			// s = (e + r d) / k, solved for d.
			d := new(big.Int).Mul(s, new(big.Int).SetBytes(k))
			d.Sub(d, e).Mul(d, new(big.Int).ModInverse(r, n)).Mod(d, n)
			private, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, size)))
			if err != nil {
				t.Fatal(err)
			}
			key, err := jws.NewKey("", alg, "", nil, &private.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			signature := append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
			if err := key.VerifyBytes(alg, text, signature); err != nil {
				t.Errorf("%s: VerifyBytes() with S = %#x: error = %v, want none", alg, short, err)
			}
			signature[2*size-1]++
			if err := key.VerifyBytes(alg, text, signature); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("%s: VerifyBytes() with S one more than %#x: error = %v, want %v", alg, short, err, jws.ErrSignature)
			}
		}
	}
}

// hashOf is the digest by an algorithm.
func hashOf(alg string, text []byte) []byte {
	hash := map[string]crypto.Hash{"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512}[alg].New()
	hash.Write(text)
	return hash.Sum(nil)
}

// TestVerify_RSA offers signatures of the wrong length and size.
func TestVerify_RSA(t *testing.T) {
	t.Parallel()
	signer := testSigner(t, "RS256").(*rsa.PrivateKey)
	for _, alg := range []string{"RS256", "PS256"} {
		token := sign(t, alg, signer, headerFor(alg), goodPayload)
		good := signatureOf(t, token)
		plusN := new(big.Int).Add(new(big.Int).SetBytes(good), signer.N).Bytes()
		for name, signature := range map[string][]byte{
			"zero":          make([]byte, 256),
			"one":           append(make([]byte, 255), 1),
			"n":             signer.N.Bytes(),
			"n-1":           new(big.Int).Sub(signer.N, big.NewInt(1)).Bytes(),
			"plus n":        plusN,
			"zero in front": append([]byte{0}, good...),
			"zero behind":   append(good[:256:256], 0),
			"cut":           good[:255],
			"very long":     append(good[:256:256], make([]byte, 2000)...),
		} {
			if err := verify(t, testKey(t, alg), withSignature(token, signature)); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("%s: %s: Verify() error = %v, want %v", alg, name, err, jws.ErrSignature)
			}
		}
	}
}

// TestVerify_PSSSalt requires the salt length that RFC 7518 demands.
func TestVerify_PSSSalt(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("FIPS 140-3 forbids to sign with another salt")
	}
	signer := testSigner(t, "PS256").(*rsa.PrivateKey)
	token := sign(t, "PS256", signer, headerFor("PS256"), goodPayload)
	digest := sha256.Sum256([]byte(token[:strings.LastIndexByte(token, '.')]))
	for salt, want := range map[int]error{32: nil, 20: jws.ErrSignature, 31: jws.ErrSignature, 222: jws.ErrSignature} {
		signature, err := signer.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256})
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t, testKey(t, "PS256"), withSignature(token, signature)); !errors.Is(err, want) {
			t.Errorf("salt length %d: Verify() error = %v, want %v", salt, err, want)
		}
	}
}

// TestVerify_Ed25519 offers what RFC 8032 forbids: the same signature with S
// raised by the order of the group, and signatures of other lengths.
func TestVerify_Ed25519(t *testing.T) {
	t.Parallel()
	token := sign(t, "EdDSA", testSigner(t, "EdDSA"), headerFor("EdDSA"), goodPayload)
	good := signatureOf(t, token)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := make([]byte, 32)
	for i := range s {
		s[i] = good[63-i]
	}
	raised := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	malleable := append([]byte{}, good[:32]...)
	for i := range raised {
		malleable = append(malleable, raised[31-i])
	}
	for name, signature := range map[string][]byte{
		"raised by the order": malleable,
		"zero":                make([]byte, ed25519.SignatureSize),
		"cut":                 good[:63],
		"a byte more":         append(good[:64:64], 0),
	} {
		if err := verify(t, testKey(t, "EdDSA"), withSignature(token, signature)); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s: Verify() error = %v, want %v", name, err, jws.ErrSignature)
		}
	}
}

// TestVerify_LargeKeys covers signatures that do not fit a Token, and tokens
// that do not fit Verify's buffer.
func TestVerify_LargeKeys(t *testing.T) {
	t.Parallel()
	if fips140.Enforced() {
		t.Skip("FIPS 140-3 forbids keys of three primes")
	}
	signer := threePrimes(t, 4608)
	key, err := jws.NewKey("", "", "", nil, signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"a":"` + strings.Repeat("x", 5000) + `"}`
	token := sign(t, "PS512", signer, headerFor("PS512"), payload)
	if err := verify(t, key, token); err != nil {
		t.Errorf("Verify() error = %v, want none", err)
	}
	changed := token[:len(token)-40] + "AAAA" + token[len(token)-36:]
	if err := verify(t, key, changed); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("Verify() of a changed signature: error = %v, want %v", err, jws.ErrSignature)
	}
}

// threePrimes makes an RSA key of about that size in a fraction of the time which
// two primes take.
func threePrimes(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	for {
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
		totient := big.NewInt(1)
		for range 3 {
			p, err := rand.Prime(rand.Reader, bits/3)
			if err != nil {
				t.Fatal(err)
			}
			key.Primes = append(key.Primes, p)
			key.N.Mul(key.N, p)
			totient.Mul(totient, new(big.Int).Sub(p, one))
		}
		key.D = new(big.Int).ModInverse(big.NewInt(int64(key.E)), totient)
		if key.D != nil {
			key.Precompute()
			return key
		}
	}
}

func TestVerify_Zero(t *testing.T) {
	t.Parallel()
	var token jws.Token
	var zero jws.Key
	if err := zero.Verify(&token); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("zero Key, zero Token: Verify() error = %v, want %v", err, jws.ErrSignature)
	}
	for _, alg := range algorithms {
		token := jws.Token{Algorithm: alg}
		if err := testKey(t, alg).Verify(&token); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s: Verify() of a Token not parsed: error = %v, want %v", alg, err, jws.ErrSignature)
		}
		if err := testKey(t, alg).VerifyBytes(alg, []byte("text"), nil); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s: VerifyBytes() without a signature: error = %v, want %v", alg, err, jws.ErrSignature)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, testKey(t, "ES256"), sign(t, "ES256", other, headerFor("ES256"), `{}`)); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("another key's signature: Verify() error = %v, want %v", err, jws.ErrSignature)
	}
}

// TestVerify_Allocations requires parsing and verifying to allocate no more than
// the payload and two buffers beside what the standard library does.
func TestVerify_Allocations(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		token, signer := benchmarkToken(t, alg)
		key := testKey(t, alg)
		dot := strings.LastIndexByte(token, '.')
		input, signature := []byte(token[:dot]), signatureOf(t, token)
		bare := testing.AllocsPerRun(50, func() {
			if !bareVerify(signer.Public(), input, signature) {
				t.Fatal("signature not verified")
			}
		})
		var parsed jws.Token
		ours := testing.AllocsPerRun(50, func() {
			var buf [24]jws.Member
			if _, err := parsed.Parse(buf[:0], token, maxBytes); err != nil {
				t.Fatal(err)
			}
			if err := key.Verify(&parsed); err != nil {
				t.Fatal(err)
			}
		})
		if ours > bare+3 {
			t.Errorf("%s: got %v allocations, want at most %v of the standard library and 3", alg, ours, bare)
		}
	}
}
