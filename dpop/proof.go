package dpop

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	maxProof = 8 << 10 // bytes of the JWT; one by an RSA key of 4096 bits has 2500
	maxID    = 256     // bytes of "jti"
	maxNonce = 256
)

// A proof is one whose form is good. Nothing in it is trusted before its signature.
type proof struct {
	token      jws.Token
	key        *jws.Key
	thumbprint string // of the key
	id         string
	method     string
	target     string
	made       time.Time
	tokenHash  string
	nonce      string // empty for none
}

// parse reads a proof.
func (v *Verifier) parse(text string) (*proof, error) {
	if text == "" {
		return nil, invalid("no proof", "a header DPoP with one")
	}
	p := new(proof)
	claims, err := p.token.Parse(nil, text, maxProof)
	if err != nil {
		return nil, invalid("a malformed proof: "+jws.Rule(err), "a signed JWT")
	}
	if p.token.Type != "dpop+jwt" {
		return nil, invalid(`"typ" `+refusal.Quote(p.token.Type), `"dpop+jwt"`)
	}
	if !slices.Contains(v.algorithms, p.token.Algorithm) {
		return nil, invalid(`"alg" `+refusal.Quote(p.token.Algorithm), refusal.OneOf(v.algorithms))
	}
	if err := p.readKey(); err != nil {
		return nil, invalid(err.Error(), `a public key in "jwk"`)
	}
	return p, p.readClaims(claims)
}

// readKey reads the key that the proof says to be made with ("jwk").
func (p *proof) readKey() error {
	header, err := p.token.Header(nil)
	if err != nil {
		return fmt.Errorf("a malformed header: %s", jws.Rule(err))
	}
	member, found := jws.Find(header, "jwk")
	if !found {
		return fmt.Errorf(`no "jwk"`)
	}
	k, err := parseKey(member)
	if err != nil {
		return fmt.Errorf(`"jwk": %w`, err)
	}
	if p.key, err = k.verifier(); err != nil {
		return fmt.Errorf(`"jwk": %w`, err)
	}
	if !p.key.CanHaveSigned(&p.token) {
		return fmt.Errorf(`"jwk": no key for a signature by %s of this length`, refusal.Quote(p.token.Algorithm))
	}
	p.thumbprint = k.thumbprint()
	return nil
}

// readClaims reads what the proof says.
func (p *proof) readClaims(claims []jws.Member) error {
	for _, c := range [...]struct {
		name     string
		text     *string
		optional bool
		most     int
	}{
		{"jti", &p.id, false, maxID}, {"htm", &p.method, false, maxProof}, {"htu", &p.target, false, maxProof},
		{"ath", &p.tokenHash, true, maxProof}, {"nonce", &p.nonce, true, maxNonce},
	} {
		m, found := jws.Find(claims, c.name)
		if !found && c.optional {
			continue
		}
		// It is empty where it is missing or no string.
		if *c.text, _ = m.Text(); *c.text == "" || len(*c.text) > c.most {
			return invalid(fmt.Sprintf("%q that is missing, empty, no string or longer than %d bytes", c.name, c.most), "a string")
		}
	}
	m, _ := jws.Find(claims, "iat") // of no kind where it is missing
	sec, nsec, err := m.Seconds()
	if err != nil {
		return invalid(`"iat" that is missing or no time`, "seconds since 1970 as a number")
	}
	p.made = time.Unix(sec, nsec)
	return nil
}

// hashText returns the SHA-256 digest of a text in base64url.
func hashText(text string) string {
	digest := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
