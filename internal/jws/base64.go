package jws

import (
	"encoding/base64"
	"strings"
)

// encoding is base64url without padding that refuses trailing bits other than
// zero, so that each part has exactly one spelling (RFC 7515, section 2).
var encoding = base64.RawURLEncoding.Strict()

const (
	chunkText = 512
	chunkData = chunkText / 4 * 3
)

// decode fills dst, which must have the decoded length of text, from text.
//
// The standard decoder wants bytes and skips line ends. The text reaches it in
// pieces copied to the stack, and a piece that yields less than its length
// promises must have held a line end.
func decode(dst []byte, text string) error {
	if len(text)%4 == 1 {
		return refuseText(text)
	}
	var piece [chunkText]byte
	for start := 0; start < len(text); start += chunkText {
		n := copy(piece[:], text[start:])
		want := encoding.DecodedLen(n)
		got, err := encoding.Decode(dst[:want], piece[:n])
		if err != nil || got != want {
			return refuseText(text)
		}
		dst = dst[want:]
	}
	return nil
}

// refuseText says what is wrong with a text that does not decode.
func refuseText(text string) error {
	switch {
	case strings.ContainsAny(text, " \t\r\n"):
		return refuse("white space inside the token")
	case strings.Contains(text, "="):
		return refuse("padded base64url, want it without padding")
	case strings.ContainsAny(text, "+/"):
		return refuse("base64, want base64url")
	}
	return refuse("not canonical base64url")
}

// decodeText returns the decoded text of one part, in one allocation.
func decodeText(encoded string) (string, error) {
	var text strings.Builder
	text.Grow(encoding.DecodedLen(len(encoded)))
	var data [chunkData]byte
	for start := 0; start < len(encoded); start += chunkText {
		piece := encoded[start:min(start+chunkText, len(encoded))]
		n := encoding.DecodedLen(len(piece))
		if err := decode(data[:n], piece); err != nil {
			return "", err
		}
		text.Write(data[:n])
	}
	return text.String(), nil
}
