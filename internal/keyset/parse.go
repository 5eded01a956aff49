package keyset

import (
	"bytes"
	"crypto/rsa"
	_ "crypto/sha256" // for thumbprints
	std "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/quote"
)

// ErrNoUsableKey says that a JWKS was well formed, but that no key in it can
// verify a token.
var ErrNoUsableKey = errors.New("no usable key in the key set")

// ErrDocument says that what arrived is no JWKS.
var ErrDocument = errors.New("key set not accepted")

// Reason says in a few words why a key is not used.
type Reason string

// The reasons for which a key is skipped.
const (
	NotAKey        Reason = "not a JSON object with string members"
	PrivateKey     Reason = "private key published"
	SymmetricKey   Reason = "symmetric key"
	UnknownType    Reason = "unknown key type"
	UnknownCurve   Reason = "unknown curve"
	OtherUse       Reason = "not for signatures"
	OtherAlgorithm Reason = "algorithm not supported for this key"
	OtherIssuer    Reason = "belongs to another issuer"
	NoIssuer       Reason = `without "issuer", which keys of tenants need`
	WeakKey        Reason = "RSA key too small or exponent too low"
	HugeKey        Reason = "RSA key too large"
	SlowKey        Reason = "RSA exponent too high"
	Malformed      Reason = "malformed key material"
	TooMany        Reason = "too many keys"
)

// Skipped is a key of the issuer's document that is not used. ID, Type and
// Detail are the issuer's words, shortened.
type Skipped struct {
	ID     string
	Type   string
	Reason Reason
	Detail string
}

const maxKeys = 1000

// document is a parsed JWKS. Without an error it has at least one usable key.
type document struct {
	keys    []*Key
	skipped []Skipped
}

// member holds the members of a JWK that matter. Certificates do not: they are
// neither needed nor read.
type member struct {
	Type       string   `json:"kty"`
	ID         string   `json:"kid"`
	Use        string   `json:"use"`
	Algorithm  string   `json:"alg"`
	Operations []string `json:"key_ops"`
	Issuer     string   `json:"issuer"`
	public
	pair
	D   json.RawMessage `json:"d"`
	P   json.RawMessage `json:"p"`
	Q   json.RawMessage `json:"q"`
	DP  json.RawMessage `json:"dp"`
	DQ  json.RawMessage `json:"dq"`
	QI  json.RawMessage `json:"qi"`
	Oth json.RawMessage `json:"oth"`
}

// public holds the members that make the key itself.
type public struct {
	Curve string `json:"crv,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// parse reads a JWKS. With [ErrNoUsableKey] the report says what was skipped. Each key is read alone, so that an odd one costs the
// others nothing. Names are exact, and a name that stands twice is an error.
func (s *Set) parse(body []byte) (document, error) {
	var top struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if err := json.Unmarshal(body, &top); err != nil {
		return document{}, fmt.Errorf("%w: not a JSON object with a list of keys: %s", ErrDocument, inPlaceOf(body, brief(err)))
	}
	if top.Keys == nil {
		return document{}, fmt.Errorf(`%w: no member "keys"%s`, ErrDocument, otherDocument(body))
	}
	var doc document
	seen := map[string]bool{}
	for i, raw := range *top.Keys {
		if i >= s.cfg.MaxKeys {
			doc.skipped = append(doc.skipped, Skipped{Reason: TooMany, Detail: fmt.Sprintf("%d left out", len(*top.Keys)-s.cfg.MaxKeys)})
			break
		}
		key, skip := s.parseKey(raw)
		switch {
		case skip != nil:
			doc.skipped = append(doc.skipped, *skip)
		case !seen[key.same]:
			seen[key.same] = true
			doc.keys = append(doc.keys, key)
		}
	}
	if len(doc.keys) == 0 {
		return doc, fmt.Errorf("%w: %s", ErrNoUsableKey, summary(doc.skipped))
	}
	return doc, nil
}

// inPlaceOf says what a text is that is no JSON: programs have their keys as PEM, too.
func inPlaceOf(body []byte, fault string) string {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("-----BEGIN ")) {
		return "it is PEM, want a JSON Web Key Set"
	}
	return fault
}

// otherDocument says which one a JSON object is that is no key set.
func otherDocument(body []byte) string {
	var other struct {
		Type string `json:"kty"`
		JWKS string `json:"jwks_uri"`
	}
	switch err := json.Unmarshal(body, &other); {
	case err != nil:
		return ""
	case other.Type != "":
		return `: it is a key alone, want it within {"keys": []}`
	case other.JWKS != "":
		return `: it is a discovery document, want what is at its "jwks_uri"`
	}
	return ""
}

func (s *Set) parseKey(raw []byte) (*Key, *Skipped) {
	m := new(member)
	if err := json.Unmarshal(raw, m); err != nil || m.Type == "" {
		return nil, notAKey(raw, err)
	}
	skip := func(r Reason, detail string) *Skipped {
		return &Skipped{ID: shorten(m.ID), Type: shorten(m.Type), Reason: r, Detail: shorten(detail)}
	}
	if reason, detail := s.unfit(m); reason != "" {
		return nil, skip(reason, detail)
	}
	public, thumbprint, err := m.publicKey()
	if m.Type == "RSA" && errors.Is(err, jose.ErrUnsupportedKeyType) {
		return nil, skip(HugeKey, fmt.Sprintf("more than %d bits", jose.MaxRSAModulusBits))
	}
	if err != nil {
		return nil, skip(Malformed, brief(err))
	}
	key, err := jws.NewKey(m.ID, m.Algorithm, s.useOf(m), m.Operations, public)
	if err != nil {
		return nil, skip(reasonOf(err), describe(public, err))
	}
	if k, ok := public.(*rsa.PublicKey); ok && s.cfg.MaxExponent > 0 && k.E > s.cfg.MaxExponent {
		return nil, skip(SlowKey, describe(k, nil))
	}
	return &Key{
		Key: key, set: s, use: m.Use, operations: m.Operations, issuer: m.Issuer,
		same: sameness(thumbprint, m),
	}, nil
}

// notAKey says what is wrong with something that cannot be read as a key, by the
// name that it bears as far as it has one.
func notAKey(raw []byte, err error) *Skipped {
	var name struct {
		ID   any `json:"kid"`
		Type any `json:"kty"`
	}
	skipped := &Skipped{Reason: NotAKey}
	if err != nil {
		skipped.Detail = brief(err)
	}
	if std.Unmarshal(raw, &name) != nil {
		return skipped
	}
	switch id := name.ID.(type) {
	case string:
		skipped.ID = shorten(id)
	case float64:
		skipped.ID = fmt.Sprint(id)
	}
	if typ, ok := name.Type.(string); ok {
		skipped.Type = shorten(typ)
	}
	return skipped
}

// useOf returns what a key is for, "sig" also where the issuer has a name of its own
// for that.
func (s *Set) useOf(m *member) string {
	if m.Use != "" && m.Use == s.cfg.Use {
		return "sig"
	}
	return m.Use
}

// unfit looks at what a key says of itself, before any mathematics.
func (s *Set) unfit(m *member) (Reason, string) {
	switch {
	case m.Type == "oct":
		return SymmetricKey, ""
	case m.private(), m.privatePair():
		return PrivateKey, ""
	case m.Type != "RSA" && m.Type != "EC" && m.Type != "OKP" && m.Type != algorithmKeyPair:
		return UnknownType, m.Type
	case jws.CheckUse(s.useOf(m), nil) != nil:
		return OtherUse, m.Use
	case jws.CheckUse("", m.Operations) != nil:
		return OtherUse, strings.Join(m.Operations, " ")
	}
	algorithms := jws.AlgorithmsOf(m.Type, m.Curve)
	if m.Type == algorithmKeyPair {
		if reason, detail := m.unfitPair(); reason != "" {
			return reason, detail
		}
		algorithms = []string{m.Algorithm}
	}
	switch {
	case len(algorithms) == 0:
		return UnknownCurve, m.Curve
	case m.Algorithm != "" && !slices.Contains(algorithms, m.Algorithm):
		return OtherAlgorithm, m.Algorithm
	case s.cfg.AcceptKey != nil && !s.cfg.AcceptKey(m.Issuer):
		if m.Issuer == "" {
			return NoIssuer, ""
		}
		return OtherIssuer, m.Issuer
	}
	return "", ""
}

// private reports whether the private half was published, which makes the key
// worthless: anybody can sign with it.
func (m *member) private() bool {
	for _, part := range []json.RawMessage{m.D, m.P, m.Q, m.DP, m.DQ, m.QI, m.Oth} {
		if len(part) > 0 && string(part) != "null" {
			return true
		}
	}
	return false
}

// key reads the key material alone, without certificates and private parts.
func (m *member) key() (*jose.JSONWebKey, error) {
	exact, err := m.exactly()
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(struct {
		Type string `json:"kty"`
		public
	}{m.Type, exact})
	if err != nil {
		return nil, err
	}
	jwk := new(jose.JSONWebKey)
	if err := jwk.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	return jwk, nil
}

// reasonOf returns the reason for which package jws has refused a key.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, jws.ErrKeyUse):
		return OtherUse
	case errors.Is(err, jws.ErrWeakKey):
		return WeakKey
	case errors.Is(err, jws.ErrHugeKey):
		return HugeKey
	}
	return Malformed
}

// describe says of an RSA key what decides how hard its signatures are to forge
// and to check, and of any other what is wrong with it.
func describe(key any, err error) string {
	if k, ok := key.(*rsa.PublicKey); ok {
		return fmt.Sprintf("%d bits, exponent %d", k.N.BitLen(), k.E)
	}
	return err.Error()
}

// summary counts skipped keys by reason, in the order of their first sight.
func summary(skipped []Skipped) string {
	if len(skipped) == 0 {
		return "it is empty"
	}
	counts := map[Reason]int{}
	var order []Reason
	for _, k := range skipped {
		if counts[k.Reason]++; counts[k.Reason] == 1 {
			order = append(order, k.Reason)
		}
	}
	parts := make([]string, len(order))
	for i, r := range order {
		parts[i] = fmt.Sprintf("%d %s", counts[r], r)
	}
	return strings.Join(parts, ", ")
}

// brief is an error's text, in one line and shortened, because it may quote the issuer.
func brief(err error) string { return shorten(quote.Error(err).Error()) }

func shorten(text string) string {
	const most = 128
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
