package jws

import "strings"

// headerRoom holds the members of a usual header.
const headerRoom = 12

// useHeader is parseHeader, unless the same text has just been read: a header
// of the same bytes says the same and breaks no rule.
func (t *Token) useHeader(encoded string) error {
	if encoded == t.read.encoded {
		t.Algorithm, t.KeyID, t.HasKeyID = t.read.algorithm, t.read.keyID, t.read.hasKeyID
		t.Type, t.HasType = t.read.typ, t.read.hasType
		return nil
	}
	if err := t.parseHeader(encoded); err != nil {
		return err
	}
	t.read.encoded = strings.Clone(encoded)
	t.read.algorithm, t.read.keyID, t.read.hasKeyID = t.Algorithm, t.KeyID, t.HasKeyID
	t.read.typ, t.read.hasType = t.Type, t.HasType
	return nil
}

// parseHeader reads the algorithm, the key ID and the type. It refuses what
// would change the meaning of the token, and reads nothing else: a key or a
// certificate that comes in the token ("jwk", "jku", "x5u", "x5c") is ignored.
func (t *Token) parseHeader(encoded string) error {
	text, err := decodeText(encoded)
	if err != nil {
		return err
	}
	var room [headerRoom]Member
	members, err := ParseObject(room[:0], text)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := t.readHeader(m); err != nil {
			return err
		}
	}
	if t.Algorithm == "" {
		return refuse(`no "alg"`)
	}
	return nil
}

// readHeader applies the rule for one header parameter.
func (t *Token) readHeader(m Member) error {
	var err error
	switch m.Name {
	case "alg":
		t.Algorithm, err = headerText(m)
	case "kid":
		t.KeyID, err = headerText(m)
		t.HasKeyID = true
	case "typ":
		t.Type, err = headerText(m)
		t.HasType = true
	case "cty", "nonce":
		_, err = headerText(m)
	case "crit", "b64":
		err = refuse("%q: extensions are not supported", m.Name)
	case "zip":
		err = refuse(`"zip": compression is not supported`)
	case "enc":
		err = refuse(`"enc": encrypted tokens (JWE) are not supported`)
	}
	return err
}

// headerText returns a parameter that must be a string. Null is not a string.
func headerText(m Member) (string, error) {
	if m.Kind != String {
		return "", refuse("%q: got %s, want a string", m.Name, m.Kind)
	}
	return m.Text()
}
