package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strconv"
)

// A token is known by what it is made of, whoever signed it: base64url of a JSON object
// that begins with a brace, and what follows.
var (
	// An object in base64url begins with one of these, unless a blank that nobody
	// writes follows the brace.
	part = regexp.MustCompile(`e(?:yJ|yA|yI|wo|w0|30)[A-Za-z0-9_-]{13,}`)
	// What comes behind a header; that of an encrypted token has two dots where its key
	// is nobody's but the issuer's.
	next = regexp.MustCompile(`^(?:\.|%2[Ee]|\\u002[Ee]){1,2}[A-Za-z0-9_-]{16,}`)
	// Names that only the payload of a token has.
	claim = regexp.MustCompile(`"(?:iss|sub|aud|exp|iat|nbf|jti|sid|nonce|htu|ath)"\s*:`)
	// A token that is no JWT, as package oidctest makes it.
	opaque = regexp.MustCompile(`opaque_[A-Z2-7]{16,}`)

	inHex   = regexp.MustCompile(`(?i)65(?:79|77|33)[0-9a-f]{30,}`) // hexadecimal of the above
	escaped = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9_.-])*%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9_.-])*`)
	// Bytes as %v and %#v print them.
	numbers = regexp.MustCompile(`\b(?:101,? (?:121|119|51)(?:,? \d{2,3}){16,}|0x65, 0x(?:79|77|33)(?:, 0x[0-9a-f]{2}){16,})`)
	number  = regexp.MustCompile(`0x[0-9a-f]{2}|\d{2,3}`)
)

// wrapped is base64 of the beginning of an object in base64, which differs with how many
// bytes of something else stand before it in its group of three; lead stands for these.
var wrapped = []struct {
	lead string
	form *regexp.Regexp
}{
	{"", regexp.MustCompile(`Z(?:X[lcd]|TMw)[A-Za-z0-9_+/-]{24,}`)},
	{"A", regexp.MustCompile(`[GWm2](?:V5[SQ]|V3[bM]|UzM)[A-Za-z0-9_+/-]{24,}`)},
	{"AAB", regexp.MustCompile(`l(?:eU[o-rE-Hk-n]|d2[89+/_-]|dz[A-D]|Mz[A-D])[A-Za-z0-9_+/-]{24,}`)},
}

// find returns the secrets that are known by their form, or the parts of a token that say
// what it said, in a text: as they are, or in base64, hexadecimal, numbers or a form for
// addresses.
func find(text []byte) (found []leak) {
	for _, m := range numbers.FindAll(text, -1) {
		found = append(found, plain(fromNumbers(m))...)
	}
	if !dense(text) && !bytes.Contains(text, []byte("-----BEGIN ")) {
		return found
	}
	found = append(found, plain(text)...)
	for _, w := range wrapped {
		for _, m := range w.form.FindAll(text, -1) {
			for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
				found = append(found, plain(decode(encoding, append([]byte(w.lead), m...)))...)
			}
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

// dense reports whether a text has as many letters and digits in a row as a part of a
// token has at least. Most lines have not, and are soon searched.
func dense(text []byte) bool {
	row := 0
	for _, c := range text {
		if c <= ' ' || c == '"' {
			row = 0
		} else if row++; row == 16 {
			return true
		}
	}
	return false
}

// fromNumbers returns the bytes that stand in a text as numbers.
func fromNumbers(text []byte) (of []byte) {
	for _, m := range number.FindAll(text, -1) {
		n, err := strconv.ParseUint(string(m), 0, 8)
		if err != nil {
			break
		}
		of = append(of, byte(n))
	}
	return of
}

// plain finds what stands in a text as it is.
func plain(text []byte) (found []leak) {
	for _, at := range part.FindAllIndex(text, -1) {
		object := decode(base64.RawURLEncoding, text[at[0]:at[1]])
		header := bytes.Contains(object, []byte(`"alg"`)) && next.Match(text[at[1]:])
		if header || claim.Match(object) {
			found = append(found, leak{kind: "token", text: string(text[at[0]:at[1]])})
		}
		for _, secret := range findSecrets(object) {
			found = append(found, leak{kind: secret.kind, text: string(text[at[0]:at[1]])})
		}
	}
	for _, m := range opaque.FindAll(text, -1) {
		found = append(found, leak{kind: "token", text: string(m)})
	}
	return append(found, findSecrets(text)...)
}

// decode decodes what may have been cut short.
func decode(encoding *base64.Encoding, text []byte) []byte {
	text = text[:len(text)/4*4]
	decoded := make([]byte, encoding.DecodedLen(len(text)))
	n, _ := encoding.Decode(decoded, text)
	return decoded[:n]
}
