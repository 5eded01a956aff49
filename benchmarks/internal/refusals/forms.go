package refusals

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// forged is signed by another issuer's key under the first one's key ID.
func forged(i *idp.Issuer) (string, error) {
	other, err := idp.Offline()
	if err != nil {
		return "", err
	}
	return other.Key(idp.RS256).Sign(i.Header(idp.RS256), i.Payload(0))
}

func none(i *idp.Issuer) (string, error) {
	header, err := swap(`"RS256"`, `"none"`)(i.Header(idp.RS256))
	return encode(header) + "." + encode(i.Payload(0)) + ".", err
}

// publicKeyAsHMAC uses the PEM form of the RSA key as a shared secret.
func publicKeyAsHMAC(i *idp.Issuer) (string, error) {
	header, err := swap(`"RS256"`, `"HS256"`)(i.Header(idp.RS256))
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(i.Key(idp.RS256).Public())
	if err != nil {
		return "", fmt.Errorf("marshal public key: %w", err)
	}
	input := encode(header) + "." + encode(i.Payload(0))
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return input + "." + encode(string(mac.Sum(nil))), nil
}

// otherAlgorithm is a PS384 token by a key that is published for RS256.
func otherAlgorithm(i *idp.Issuer) (string, error) {
	header, err := swap(`"RS256"`, `"PS384"`)(i.Header(idp.RS256))
	if err != nil {
		return "", err
	}
	return i.Key(idp.RS256).SignPSS(header, i.Payload(0))
}

// trailingBits writes the same signature bytes in another way: the last
// character of 256 bytes carries two bits that count and four that do not.
func trailingBits(i *idp.Issuer) (string, error) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	token := i.Token(idp.RS256, 0)
	last := strings.IndexByte(alphabet, token[len(token)-1])
	if last < 0 {
		return "", fmt.Errorf("no base64url: %q", token[len(token)-1])
	}
	return token[:len(token)-1] + alphabet[last|1:last|1+1], nil
}

// lineBreak puts a line break where Go's base64 decoder skips one.
func lineBreak(i *idp.Issuer) (string, error) {
	token := i.Token(idp.RS256, 0)
	return token[:len(token)-4] + "\n" + token[len(token)-4:], nil
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
