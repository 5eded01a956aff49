package extract

import (
	"encoding/base64"
	"strings"
)

// fromBase64URL decodes base64url without padding, of which it takes the one spelling of each
// text: the standard decoder passes over line ends. What it decoded up to a fault it returns
// as well.
func fromBase64URL(text string) (decoded string, ok bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return string(data), err == nil && !strings.ContainsAny(text, "\r\n")
}
