package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
)

// A token is known by what it is made of, whoever signed it: base64url of a JSON object
// that begins with a brace, and what follows.
var (
	// An object in base64url begins with one of these, unless a blank that nobody
	// writes follows the brace.
	part = regexp.MustCompile(`e(?:yJ|yA|yI|wo|w0|30)[A-Za-z0-9_-]{13,}`)
	// What comes behind a header.
	next = regexp.MustCompile(`^(?:\.|%2[Ee]|\\u002[Ee])[A-Za-z0-9_-]{16,}`)
	// Names that only the payload of a token has.
	claim = regexp.MustCompile(`"(?:iss|sub|aud|exp|iat|nbf|jti|sid|nonce|htu|ath)"\s*:`)
	// A token that is no JWT, as package oidctest makes it.
	opaque = regexp.MustCompile(`opaque_[A-Za-z0-9_-]{16,}`)

	wrapped = regexp.MustCompile(`ZX[lg][A-Za-z0-9_+/-]{24,}`)      // base64 of the above
	inHex   = regexp.MustCompile(`(?i)65(?:79|77|33)[0-9a-f]{30,}`) // and hexadecimal
	escaped = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9_.-])*%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9_.-])*`)
)

// find returns the tokens, or the parts of one that say what it said, in a text: as they
// are, or in base64, hexadecimal or a form for addresses.
func find(text []byte) (found []string) {
	found = append(found, plain(text)...)
	for _, m := range wrapped.FindAll(text, -1) {
		for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
			found = append(found, plain(decode(encoding, m))...)
		}
	}
	for _, m := range inHex.FindAll(text, -1) {
		decoded := make([]byte, len(m)/2)
		hex.Decode(decoded, m[:len(m)/2*2])
		found = append(found, plain(decoded)...)
	}
	if bytes.IndexByte(text, '%') >= 0 {
		for _, m := range escaped.FindAll(text, -1) {
			if decoded, err := url.PathUnescape(string(m)); err == nil && decoded != string(m) {
				found = append(found, plain([]byte(decoded))...)
			}
		}
	}
	return found
}

// plain finds tokens that stand in a text as they are.
func plain(text []byte) (found []string) {
	for _, at := range part.FindAllIndex(text, -1) {
		object := decode(base64.RawURLEncoding, text[at[0]:at[1]])
		header := bytes.Contains(object, []byte(`"alg"`)) && next.Match(text[at[1]:])
		if header || claim.Match(object) {
			found = append(found, string(text[at[0]:at[1]]))
		}
	}
	for _, m := range opaque.FindAll(text, -1) {
		found = append(found, string(m))
	}
	return found
}

// decode decodes what may have been cut short.
func decode(encoding *base64.Encoding, text []byte) []byte {
	text = text[:len(text)/4*4]
	decoded := make([]byte, encoding.DecodedLen(len(text)))
	n, _ := encoding.Decode(decoded, text)
	return decoded[:n]
}
