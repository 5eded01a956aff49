package claims

import (
	"math"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// An Index knows where the names of a payload's claims end, so that a claim
// is found without reading those before it: for each claim two bytes, the low one
// first. It is empty for a payload that has to be read from the top.
type Index string

// newIndex makes the index of a payload with these members. There is none
// if a name is written with escapes or lies beyond the first 64 KiB.
func newIndex(payload string, members []jws.Member) Index {
	var buffer [128]byte // enough for 64 members
	index := buffer[:0]
	for _, m := range members {
		if m.Offset > math.MaxUint16 || !endsWith(payload[:m.Offset], m.Name) {
			return ""
		}
		index = append(index, byte(m.Offset), byte(m.Offset>>8))
	}
	return Index(index)
}

// find returns where the name of a claim ends in the payload that the index was
// made for.
func (x Index) find(payload, name string) (offset int, found bool) {
	for i := 1; i < len(x); i += 2 {
		offset := int(x[i-1]) | int(x[i])<<8
		if endsWith(payload[:offset], name) {
			// A quote in a name is written with an escape: what was found is of several.
			return offset, strings.IndexByte(name, '"') < 0
		}
	}
	return 0, false
}

// endsWith reports whether text ends with the name in quotes.
func endsWith(text, name string) bool {
	end := len(text) - 1
	start := end - len(name)
	return start > 0 && text[start-1] == '"' && text[start:end] == name && text[end] == '"'
}
