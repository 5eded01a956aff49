// Package jws takes compact JSON Web Signatures (RFC 7515) apart and verifies
// them. It reads one form of token only, strictly: what it accepts has one
// meaning to every reader of JSON, and is what its issuer signed, byte for byte.
//
// Signatures are checked by the standard library, or with keys that were prepared
// beforehand and come to the same verdicts; this package decides which bytes, which
// algorithm and which key they are checked with.
package jws

import (
	"strings"
)

// signatureBuffer is the size of a buffer for the signature of any permitted key up
// to RSA 4096.
const signatureBuffer = 512

// A KeyID says which of the issuer's keys has signed a token. The zero KeyID is that
// of a token that does not say so; an empty one is another.
type KeyID struct {
	Text string
	Has  bool
}

// Named returns the KeyID with this text.
func Named(text string) KeyID { return KeyID{Text: text, Has: true} }

// Token is a compact JWS taken apart and checked for form. Nothing in it is
// trusted until [Key.Verify] has accepted it. A Token is filled by
// [Token.Parse], after which it may be read by several goroutines at once.
//
// A Token passed by its address to Parse and Verify stays on the caller's stack.
type Token struct {
	// Algorithm is the header's "alg" as written, never empty. It may name an
	// algorithm that is unknown or forbidden, "none" included.
	Algorithm string

	// KeyID is the header's "kid" as written.
	KeyID KeyID

	// Type is the header's "typ" as written; HasType tells an empty one from
	// none.
	Type    string
	HasType bool

	// Payload is the decoded payload, the text of one JSON object.
	Payload string

	// read is the header that a Token read last. Nearly all tokens of an issuer
	// share one, so that a Token which is used again seldom has to read another.
	read struct {
		encoded   string // a copy; it must not keep a token alive
		algorithm string
		keyID     KeyID
		typ       string
		hasType   bool
	}

	signingInput string
	signature    [signatureBuffer]byte
	length       int
	long         []byte // the signature, when it exceeds signatureBuffer
}

// Parse resets t and fills it from token, a compact JWS of at most maxBytes
// bytes. It appends the payload's top-level members to dst, in the order written,
// and returns it: a buffer on the caller's stack stays there. An error is an
// [ErrMalformed] that names the first rule broken. Then t is empty and nothing is
// appended; what dst has got of memory may be used again.
//
// Three parts of canonical base64url are required: a header and a payload that
// satisfy [ParseObject], and a signature that is not empty. Encrypted tokens,
// the JSON serialization, detached payloads and critical extensions are refused.
func (t *Token) Parse(dst []Member, token string, maxBytes int) ([]Member, error) {
	t.Reset()
	before := len(dst)
	dst, err := t.parse(dst, token, maxBytes)
	if err != nil {
		t.Reset()
		clear(dst[before:])
		return dst[:before], err
	}
	return dst, nil
}

// Reset makes t the token that was not parsed. The bytes of an old signature may
// remain where nothing reads them, and so may an old header.
func (t *Token) Reset() {
	t.Algorithm, t.KeyID, t.Type, t.HasType = "", KeyID{}, "", false
	t.Payload, t.signingInput = "", ""
	t.length, t.long = 0, nil
}

func (t *Token) parse(dst []Member, token string, maxBytes int) ([]Member, error) {
	if len(token) > maxBytes {
		return dst, &sizeError{len(token), maxBytes}
	}
	header, payload, signature, err := splitParts(token)
	if err != nil {
		return dst, err
	}
	if dst, err = t.useHeader(dst, header); err != nil {
		return dst, refusePart("header", err)
	}
	if dst, err = t.parsePayload(dst, payload); err != nil {
		return dst, refusePart("payload", err)
	}
	if err := t.parseSignature(signature); err != nil {
		return dst, refusePart("signature", err)
	}
	t.signingInput = token[:len(header)+1+len(payload)]
	return dst, nil
}

// splitParts cuts a token at its two dots. It looks for each dot by index, so
// that a token made of dots costs no memory.
func splitParts(token string) (header, payload, signature string, err error) {
	if strings.HasPrefix(token, "{") {
		return "", "", "", refuse("JSON serialization, want the compact form")
	}
	first := strings.IndexByte(token, '.')
	if token == "" {
		return "", "", "", refuse("got an empty text, want three parts separated by dots")
	}
	if first < 0 {
		return "", "", "", refuse("got one part, want three parts separated by dots")
	}
	second := strings.IndexByte(token[first+1:], '.')
	if second < 0 {
		return "", "", "", refuse("got two parts, want three parts separated by dots")
	}
	second += first + 1
	header, payload, signature = token[:first], token[first+1:second], token[second+1:]
	if third := strings.IndexByte(signature, '.'); third >= 0 {
		return "", "", "", refuseExtraParts(signature[third+1:])
	}
	return header, payload, signature, checkNotEmpty(header, payload, signature)
}

// refuseExtraParts tells an encrypted token, which has five parts, from other
// tokens with too many; rest is what follows the third dot.
func refuseExtraParts(rest string) error {
	fourth := strings.IndexByte(rest, '.')
	if fourth >= 0 && strings.IndexByte(rest[fourth+1:], '.') < 0 {
		return refuse("encrypted token (JWE, five parts), want a signed one of three parts")
	}
	return refuse("more than three parts")
}

// checkNotEmpty refuses unsigned tokens and detached payloads.
func checkNotEmpty(header, payload, signature string) error {
	switch {
	case header == "":
		return refuse("empty header")
	case payload == "":
		return refuse("empty payload")
	case signature == "":
		return refuse("empty signature: the token is unsigned")
	}
	return nil
}

// parsePayload requires the payload to be one JSON object and appends its
// members to dst.
func (t *Token) parsePayload(dst []Member, encoded string) ([]Member, error) {
	text, err := decodeText(encoded)
	if err != nil {
		return dst, err
	}
	t.Payload = text
	return parseObject(dst, text, mostNames(text))
}

// parseSignature decodes the signature into t, on the heap only when it is
// longer than any usual one.
func (t *Token) parseSignature(encoded string) error {
	t.length = encoding.DecodedLen(len(encoded))
	if t.length <= len(t.signature) {
		return decode(t.signature[:t.length], encoded)
	}
	t.long = make([]byte, t.length)
	return decode(t.long, encoded)
}

// signatureBytes returns the decoded signature, empty for the zero Token.
func (t *Token) signatureBytes() []byte {
	if t.long != nil {
		return t.long
	}
	return t.signature[:t.length]
}
