package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"time"
)

// DefaultSubject is the "sub" of tokens that are given none.
const DefaultSubject = "alice"

// TokenLifetime is how long tokens live that are given no "exp", from when they are made.
const TokenLifetime = time.Hour

// Token returns a token signed with the current key. See [Key.Token].
func (i *Issuer) Token(claims map[string]any) string {
	i.helper()
	return i.Key().Token(claims)
}

// Sign returns a token signed with the current key. See [Key.Sign].
func (i *Issuer) Sign(header, payload any) string {
	i.helper()
	return i.Key().Sign(header, payload)
}

// Token returns a signed token with the claims given. Those of
// [Config].Claims, "iss", "sub" ([DefaultSubject]), "iat" (now) and "exp"
// ([TokenLifetime] from now, whatever "iat" says) are filled in. A nil value
// leaves the claim out, a nil slice too, as Audiences of a description that has none;
// for a JSON null give [json.RawMessage]("null"). A [time.Time] is written as the number
// of seconds that tokens use.
func (k *Key) Token(claims map[string]any) string {
	k.issuer.helper()
	return k.Sign(nil, k.issuer.fill(claims))
}

// Sign returns a token with full control over what is signed.
//
// A header of type map[string]any, or nil, is completed by "alg", "kid" and "typ"
// (JWT), unless it has them; a nil value leaves the member out. Any other
// header, and the payload, are signed exactly as given if they are []byte,
// string or [json.RawMessage], and as [json.Marshal] writes them otherwise.
// Nothing is added to the payload.
//
// The signature is always made with the key's own algorithm, whatever the
// header says; [Key.As] changes it.
func (k *Key) Sign(header, payload any) string {
	k.issuer.helper()
	h, err := k.header(header)
	if err != nil {
		k.issuer.fatalf("oidctest: header: %v", err)
		return ""
	}
	p, err := encode(payload)
	if err != nil {
		k.issuer.fatalf("oidctest: payload: %v", err)
		return ""
	}
	input := compact(h, p)
	signature, err := sign(k.pair, k.alg, []byte(input))
	if err != nil {
		k.issuer.fatalf("oidctest: sign with %s: %v", k.alg, err)
		return ""
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// fill completes the claims of a token.
func (i *Issuer) fill(claims map[string]any) map[string]any {
	now := i.now()
	full := map[string]any{
		"iss": i.URL(),
		"sub": DefaultSubject,
		"iat": now,
	}
	overlay(full, i.claims)
	overlay(full, claims)
	_, given := claims["exp"]
	if _, always := i.claims["exp"]; !given && !always {
		full["exp"] = now.Add(TokenLifetime)
	}
	for name, value := range full {
		if t, ok := value.(time.Time); ok {
			full[name] = t.Unix()
		}
	}
	return full
}

// header returns the bytes of a token header.
func (k *Key) header(header any) ([]byte, error) {
	given, ok := header.(map[string]any)
	if !ok && header != nil {
		return encode(header)
	}
	full := map[string]any{"alg": k.alg, "typ": "JWT"}
	if !k.noID {
		full["kid"] = k.id
	}
	return encode(overlay(full, given))
}

// compact joins header and payload into the input of a signature.
func compact(header, payload []byte) string {
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
}

// encode passes raw bytes through, and writes anything else as JSON.
func encode(v any) ([]byte, error) {
	switch raw := v.(type) {
	case []byte:
		return raw, nil
	case json.RawMessage:
		return raw, nil
	case string:
		return []byte(raw), nil
	case map[string]any:
		return json.Marshal(maps.Clone(raw))
	}
	return json.Marshal(v)
}

// hashOf returns the hash that an algorithm uses, zero for none.
func hashOf(alg string) crypto.Hash {
	if len(alg) != 5 {
		return 0
	}
	return map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
}

// sign makes the signature of RFC 7518, section 3, or RFC 8037.
func sign(pair crypto.Signer, alg string, input []byte) ([]byte, error) {
	hash := hashOf(alg)
	if hash == 0 { // EdDSA signs the message itself.
		return pair.Sign(rand.Reader, input, crypto.Hash(0))
	}
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	if alg[:2] == "PS" {
		return pair.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	}
	signature, err := pair.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, err
	}
	if public, ok := pair.Public().(*ecdsa.PublicKey); ok {
		return fixedWidth(signature, (public.Curve.Params().BitSize+7)/8)
	}
	return signature, nil
}

// fixedWidth turns an ECDSA signature from ASN.1 into r and s side by side.
func fixedWidth(der []byte, size int) ([]byte, error) {
	var parts struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return nil, err
	}
	out := make([]byte, 2*size)
	parts.R.FillBytes(out[:size])
	parts.S.FillBytes(out[size:])
	return out, nil
}
