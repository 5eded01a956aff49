package jws

import "strings"

// keptHeader bounds the headers that are kept for the next token.
const keptHeader = 1 << 10

// useHeader is parseHeader, unless the same text has just been read: a header
// of the same bytes says the same and breaks no rule. It may use what dst has of
// memory, and returns dst with that.
func (t *Token) useHeader(dst []Member, encoded string) ([]Member, error) {
	if encoded == t.read.encoded {
		t.Algorithm, t.KeyID = t.read.algorithm, t.read.keyID
		t.Type, t.HasType = t.read.typ, t.read.hasType
		return dst, nil
	}
	dst, err := t.parseHeader(dst, encoded)
	if err != nil || len(encoded) > keptHeader {
		return dst, err
	}
	t.read.encoded = strings.Clone(encoded)
	t.read.algorithm, t.read.keyID = t.Algorithm, t.KeyID
	t.read.typ, t.read.hasType = t.Type, t.HasType
	return dst, nil
}

// parseHeader reads the algorithm, the key ID and the type. It refuses what
// would change the meaning of the token, and reads nothing else: a key or a
// certificate that comes in the token ("jwk", "jku", "x5u", "x5c") is ignored.
func (t *Token) parseHeader(dst []Member, encoded string) ([]Member, error) {
	text, err := decodeText(encoded)
	if err != nil {
		return dst, err
	}
	before := len(dst)
	members, err := parseObject(dst, text, maxHeaderNames)
	for i := before; i < len(members) && err == nil; i++ {
		err = t.readHeader(members[i])
	}
	clear(members[before:])
	if err == nil && t.Algorithm == "" {
		err = refuse(`no "alg"`)
	}
	return members[:before], err
}

// Header appends the members of the token's header to dst, in the order written,
// for who has to know more of it than a Token says. It reads the header once more.
func (t *Token) Header(dst []Member) ([]Member, error) {
	encoded, _, _ := strings.Cut(t.signingInput, ".")
	text, err := decodeText(encoded)
	if err != nil {
		return dst, err
	}
	return parseObject(dst, text, maxHeaderNames)
}

// readHeader applies the rule for one header parameter.
func (t *Token) readHeader(m Member) error {
	var err error
	switch m.Name {
	case "alg":
		t.Algorithm, err = headerText(m)
	case "kid":
		t.KeyID.Has = true
		t.KeyID.Text, err = headerText(m)
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
