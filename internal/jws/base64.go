package jws

import (
	"encoding/base64"
	"strings"
)

// encoding is base64url without padding that refuses trailing bits other than
// zero, so that each part has exactly one spelling (RFC 7515, section 2).
var encoding = base64.RawURLEncoding.Strict()

// decode fills dst, which has the decoded length of text, from text.
//
// The standard decoder skips line ends. A text that yields less than its length
// promises held one; only a length that no encoding has could hide it.
func decode(dst []byte, text string) error {
	if len(text)%4 == 1 {
		return refuseText(text)
	}
	// The compiler hands text over without copying it.
	n, err := encoding.Decode(dst, []byte(text))
	if err != nil || n != len(dst) {
		return refuseText(text)
	}
	return nil
}

// refuseText says what is wrong with a text that does not decode.
func refuseText(text string) error {
	const scheme = "Bearer "
	switch {
	case len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme):
		return refuse(`"Bearer " in front of the token, want the token alone`)
	case strings.HasPrefix(text, `"`) || strings.HasSuffix(text, `"`):
		return refuse("quotes around the token")
	case strings.ContainsAny(text, " \t\r\n"):
		return refuse("white space inside the token")
	case strings.Contains(text, "="):
		return refuse("padded base64url, want it without padding")
	case strings.ContainsAny(text, "+/"):
		return refuse("base64, want base64url")
	}
	return refuse("not canonical base64url")
}

// decodeText returns the decoded text of one part. It decodes piece by piece on
// the stack, so that the text is the only allocation.
func decodeText(encoded string) (string, error) {
	const pieceText, pieceData = 1024, 768
	var text strings.Builder
	text.Grow(encoding.DecodedLen(len(encoded)))
	var data [pieceData]byte
	for start := 0; start < len(encoded); start += pieceText {
		piece := encoded[start:min(start+pieceText, len(encoded))]
		n := encoding.DecodedLen(len(piece))
		if err := decode(data[:n], piece); err != nil {
			return "", err
		}
		text.Write(data[:n])
	}
	return text.String(), nil
}
