package interop_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// rawGroup is a group of tests with bare signatures. The key's type differs from
// file to file, its DER form does not.
type rawGroup struct {
	PublicKeyDER string          `json:"publicKeyDer"`
	PublicKey    json.RawMessage `json:"publicKey"`
	SaltLength   int             `json:"sLen"`
	Tests        []struct {
		ID      int      `json:"tcId"`
		Comment string   `json:"comment"`
		Flags   []string `json:"flags"`
		Message string   `json:"msg"`
		Sig     string   `json:"sig"`
		Result  string   `json:"result"`
	} `json:"tests"`
}

// rawFiles are the files whose curve, hash and salt length are those of a JWS
// algorithm. All others are about curves (secp224r1, secp256k1, brainpool),
// hashes (SHA-1, SHA-224, SHA-3, SHAKE, SHA-512/224, SHA-512/256), pairs of curve
// and hash, salts or mask functions that no algorithm here has, about signatures
// in DER, which JWS does not have, or about making signatures.
var rawFiles = []struct {
	name, alg  string
	want       count
	unprepared int // vectors of keys that are not prepared
}{
	{"ecdsa_secp256r1_sha256_p1363_test.json", "ES256", count{tried: 262}, 262},
	{"ecdsa_secp384r1_sha384_p1363_test.json", "ES384", count{tried: 280}, 280},
	{"ecdsa_secp521r1_sha512_p1363_test.json", "ES512", count{tried: 318}, 318},
	{"ed25519_test.json", "EdDSA", count{tried: 151}, 0},
	{"ed25519_test.json", "Ed25519", count{tried: 151}, 0},
	{"rsa_signature_2048_sha256_test.json", "RS256", count{tried: 257, skipped: 2}, 0},
	{"rsa_signature_2048_sha384_test.json", "RS384", count{tried: 258}, 0},
	{"rsa_signature_2048_sha512_test.json", "RS512", count{tried: 258, skipped: 1}, 0},
	{"rsa_signature_3072_sha256_test.json", "RS256", count{tried: 258, skipped: 1}, 0},
	{"rsa_signature_3072_sha384_test.json", "RS384", count{tried: 259}, 0},
	{"rsa_signature_3072_sha512_test.json", "RS512", count{tried: 259, skipped: 1}, 0},
	{"rsa_signature_4096_sha256_test.json", "RS256", count{tried: 258}, 0},
	{"rsa_signature_4096_sha384_test.json", "RS384", count{tried: 259}, 0},
	{"rsa_signature_4096_sha512_test.json", "RS512", count{tried: 259}, 0},
	{"rsa_signature_8192_sha256_test.json", "RS256", count{tried: 258}, 0},
	{"rsa_signature_8192_sha384_test.json", "RS384", count{tried: 259}, 0},
	{"rsa_signature_8192_sha512_test.json", "RS512", count{tried: 259}, 0},
	{"rsa_pss_2048_sha256_mgf1_32_test.json", "PS256", count{tried: 108}, 0},
	{"rsa_pss_2048_sha384_mgf1_48_test.json", "PS384", count{tried: 141}, 0},
	{"rsa_pss_3072_sha256_mgf1_32_test.json", "PS256", count{tried: 108}, 0},
	{"rsa_pss_4096_sha256_mgf1_32_test.json", "PS256", count{tried: 108}, 0},
	{"rsa_pss_4096_sha384_mgf1_48_test.json", "PS384", count{tried: 141}, 0},
	{"rsa_pss_4096_sha512_mgf1_64_test.json", "PS512", count{tried: 179}, 0},
}

// TestWycheproofSignatures checks each signature by the standard library and, where a
// key can be prepared, with the prepared key too, for which the first signature of its
// group that is valid is the known answer; where none is, without one.
func TestWycheproofSignatures(t *testing.T) {
	for _, file := range rawFiles {
		t.Run(file.alg+"/"+file.name, func(t *testing.T) {
			var got count
			prepared := 0
			for _, group := range readFile[rawGroup](t, file.name) {
				key, err := readDER(group)
				if errors.Is(err, jws.ErrKey) && hasSmallExponent(t, group) {
					got.skipped += len(group.Tests) // an exponent of 3 is refused with the key
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				ready := prepare(t, group, file.alg)
				for _, test := range group.Tests {
					got.tried++
					message, signature := decodeHex(t, test.Message), decodeHex(t, test.Sig)
					err := key.VerifyBytes(file.alg, message, signature)
					if test.Result != "acceptable" && (err == nil) != (test.Result == "valid") {
						t.Errorf("%d (%s, %v): error = %v, want %s", test.ID, test.Comment, test.Flags, err, test.Result)
					}
					if ready == nil {
						continue
					}
					prepared++
					if again := ready(message, signature); again != (err == nil) {
						t.Errorf("%d (%s, %v): prepared %v, not prepared %v", test.ID, test.Comment, test.Flags, again, err)
					}
				}
			}
			got.check(t, file.want)
			if want := file.want.tried - file.unprepared; prepared != want {
				t.Errorf("%d vectors tried with a prepared key, want %d", prepared, want)
			}
		})
	}
}

// prepare returns the check with the group's key prepared, or nil for a type of key
// that is not.
func prepare(t *testing.T, group rawGroup, alg string) func(message, signature []byte) bool {
	t.Helper()
	key, err := readDER(group)
	if err != nil {
		t.Fatal(err)
	}
	if _, other := key.Public().(*ecdsa.PublicKey); other {
		return nil
	}
	for _, test := range group.Tests {
		if test.Result != "valid" {
			continue
		}
		err := key.PrepareBytes(alg, decodeHex(t, test.Message), decodeHex(t, test.Sig))
		if err != nil && sigcheck.Enabled() {
			t.Errorf("%d (%s): PrepareBytes() error = %v", test.ID, test.Comment, err)
		}
		return func(message, signature []byte) bool { return key.VerifyBytes(alg, message, signature) == nil }
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("a group without a valid signature whose key is an RSA key")
	}
	bare, err := sigcheck.NewEd25519(public)
	if err != nil {
		t.Fatal(err)
	}
	return bare.Verify
}

func readDER(group rawGroup) (*jws.Key, error) {
	der, err := hex.DecodeString(group.PublicKeyDER)
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	return jws.NewKey("", "", "", nil, public)
}

func hasSmallExponent(t *testing.T, group rawGroup) bool {
	t.Helper()
	var key struct {
		PublicExponent string `json:"publicExponent"`
	}
	if err := json.Unmarshal(group.PublicKey, &key); err != nil {
		t.Fatal(err)
	}
	return key.PublicExponent == "03"
}

func decodeHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
