package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/oidcauth/oidcauth/internal/said"
)

const (
	// window is how much of a secret has to be said, of its beginning or its end.
	window = 16 // bytes

	// hexWindow is the same of bytes as Go writes them, with six characters for each: three
	// of them alone stand in many a public key.
	hexWindow = 3 * window

	// least is how long the shortest form of one is.
	least = 8 // bytes
)

// known are the secrets that tests have noted, by package said, each in the forms in
// which it may be said.
type known struct {
	filter [1 << 16]uint64   // bits of the hashes of what forms begin with
	forms  map[uint64][]leak // by their first eight bytes
}

// load returns the secrets that are noted in the files of a directory.
func load(dir string) (*known, int, error) {
	k := &known{forms: make(map[uint64][]leak)}
	paths, err := filepath.Glob(filepath.Join(dir, "*"+said.SecretsSuffix))
	if err != nil {
		return nil, 0, err
	}
	seen := make(map[string]bool)
	for _, path := range paths {
		if err := k.loadFile(path, seen); err != nil {
			return nil, 0, err
		}
	}
	return k, len(seen), nil
}

// loadFile adds the secrets of a file, but for those that were seen.
func (k *known) loadFile(path string, seen map[string]bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := json.NewDecoder(bufio.NewReader(f)); ; {
		var n said.Noted
		switch err := r.Decode(&n); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("leaks: %s: %w", path, err)
		case len(n.Value) < said.Shortest:
			return fmt.Errorf("leaks: %s: a secret of %d bytes", path, len(n.Value))
		}
		if !seen[string(n.Value)] {
			seen[string(n.Value)] = true
			k.add(n.Kind, string(n.Value))
		}
	}
}

// add adds a secret.
func (k *known) add(kind, secret string) {
	had := make(map[string]bool)
	for _, form := range formsOf(secret) {
		size := window
		if strings.HasPrefix(form, "0x") {
			size = hexWindow
		}
		for _, end := range []string{form[:min(len(form), size)], form[max(0, len(form)-size):]} {
			if len(end) < least || had[end] {
				continue
			}
			had[end] = true
			at := binary.LittleEndian.Uint64([]byte(end))
			k.forms[at] = append(k.forms[at], leak{kind, end, form})
			h := hash(at)
			k.filter[h>>6] |= 1 << (h & 63)
		}
	}
}

// formsOf returns the forms in which a secret may be said. Their first and their last
// [window] bytes stand for it.
func formsOf(secret string) []string {
	forms := []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for lead := range 3 {
		forms = append(forms, inBase64(base64.RawStdEncoding, lead, secret), inBase64(base64.RawURLEncoding, lead, secret))
	}
	for _, quoted := range []string{url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(strconv.Quote(secret), `"`)} {
		if quoted != secret {
			forms = append(forms, quoted)
		}
	}
	var decimals, gos, escapes, capitals strings.Builder
	for i, c := range []byte(secret) {
		if i > 0 {
			decimals.WriteString(" ")
			gos.WriteString(", ")
		}
		fmt.Fprintf(&decimals, "%d", c)
		fmt.Fprintf(&gos, "%#x", c)
		fmt.Fprintf(&escapes, "%%%02x", c)
		fmt.Fprintf(&capitals, "%%%02X", c)
	}
	return append(forms, decimals.String(), strings.ReplaceAll(decimals.String(), " ", ", "), strings.ReplaceAll(decimals.String(), " ", ","), gos.String(), escapes.String(), capitals.String())
}

// inBase64 is a secret behind so many bytes of something else, less what these and
// what follows have a part in.
func inBase64(encoding *base64.Encoding, lead int, secret string) string {
	text := encoding.EncodeToString([]byte("\x00\x00"[:lead] + secret))
	if (lead+len(secret))%3 != 0 {
		text = text[:len(text)-1]
	}
	return text[[]int{0, 2, 3}[lead]:]
}

func hash(of uint64) uint64 { return of * 0x9e3779b97f4a7c15 >> 42 }

// find returns the secrets in a text.
func (k *known) find(text []byte) (found []leak) {
	for i := 0; i+least <= len(text); i++ {
		at := binary.LittleEndian.Uint64(text[i:])
		h := hash(at)
		if k.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, form := range k.forms[at] {
			if len(form.text) <= len(text)-i && string(text[i:i+len(form.text)]) == form.text {
				found = append(found, form)
			}
		}
	}
	return found
}
