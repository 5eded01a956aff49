package ticket

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An Original says how the token was signed that a ticket stands for, and when
// the ticket was made by the clock of a process that nobody sets.
type Original struct {
	Algorithm string  `json:"alg"`
	KeyID     *string `json:"kid,omitempty"` // nil if the token named no key
	Type      *string `json:"typ"`           // of the token, empty if it had none: it decides which of the issuer's descriptions counts
	Key       string  `json:"key"`           // thumbprint of the key that verified it
	Process   string  `json:"process"`
	Uptime    int64   `json:"uptime"` // of the process, in milliseconds

	// Proved says that whoever bought the ticket had what the token is bound to.
	Proved bool `json:"proved,omitempty"`

	// Header and Signature are what the whole token has beside its payload, as they
	// are written in it: where somebody has to be asked about the token, and where the
	// ticket gives it back. Else both are empty.
	Header    string `json:"header,omitempty"`
	Signature string `json:"signature,omitempty"`
	GiveBack  bool   `json:"give_back,omitempty"` // the whole token, to whoever uses the ticket

	// Opaque is a token that says nothing itself, about which its issuer is asked where
	// the ticket is used. Whose it was when the ticket was bought, and what it was bound
	// to, has to be what the issuer says then. Nothing but Type and the clock is there
	// beside these.
	Opaque    string `json:"opaque,omitempty"`
	Identity  string `json:"identity,omitempty"`
	BoundKey  string `json:"bound_key,omitempty"`         // by its thumbprint
	BoundCert string `json:"bound_certificate,omitempty"` // by its thumbprint
}

// maxEnvelope bounds header and signature of a token that a ticket gives back, so
// that the ticket stays short. What a local issuer signs has 200 bytes of them.
const maxEnvelope = 512

// KeepToken has the ticket give the whole token back to whoever uses it. It
// reports whether that can be: the payload has to be the token's.
func (o *Original) KeepToken(token, payload string) bool {
	header, rest, _ := strings.Cut(token, ".")
	written, signature, _ := strings.Cut(rest, ".")
	if header == "" || signature == "" || len(header)+len(signature) > maxEnvelope || written != base64.RawURLEncoding.EncodeToString([]byte(payload)) {
		return false
	}
	o.Header, o.Signature, o.GiveBack = header, signature, true
	return true
}

// SetToken keeps what the token has beside its payload, for whoever has to be asked
// about it. The ticket does not give it back.
func (o *Original) SetToken(token string) {
	header, rest, _ := strings.Cut(token, ".")
	_, signature, _ := strings.Cut(rest, ".")
	o.Header, o.Signature = header, signature
}

// GivenBack returns the token that the ticket gives back to whoever uses it, or
// nothing.
func (o *Original) GivenBack(payload string) string {
	if !o.GiveBack {
		return ""
	}
	return o.Token(payload)
}

// Token returns the token with that payload, or nothing if it was not kept.
func (o *Original) Token(payload string) string {
	if o.Header == "" || o.Signature == "" {
		return ""
	}
	return o.Header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + o.Signature
}

// Verified is what a ticket is made from: a token that was verified.
type Verified struct {
	Original
	Payload      string    // of the token, byte for byte
	Until        time.Time // when it is accepted no longer, leeway included
	NeverExpires bool
}

// Verify says of claims, a *oidcauth.Claims, how their token was
// verified; the error is a refusal of claims that buy no ticket.
//
// The public package oidcauth sets it when it is initialized, for localissuer
// alone. Both are public and the one is above the other, so that all that oidcauth
// has for localissuer would otherwise be a method of its Claims that everybody
// sees and nobody else can use. Only the two know of it.
var Verify func(claims any) (Verified, error)

// Good refuses claims that [Verify] has found fit, and that would not be accepted now: a
// ticket is judged where it is used, and a token that takes their place is not. It may ask
// somebody about them, as long as ctx permits. Package oidcauth sets it, too.
var Good func(ctx context.Context, claims any) error

// Counts refuses where what a key of an issuer signs at a time would be refused for being
// revoked, whoever it is for: the key is, or all that the issuer issues until later. Claims are
// whose that is to be, of the Authenticator that is asked. Package oidcauth sets it, too.
var Counts func(claims any, issuer, keyID string, at time.Time) error

// A Checked is a ticket that was found good and is not used up.
type Checked struct {
	Claims any          // a *oidcauth.Claims: what AuthenticateTicket returns
	Token  string       // the token that bought it, if it gives that back
	Use    func() error // uses it up; the error is a refusal
}

// Check is the first half of [oidcauth.Authenticator.AuthenticateTicket], of auth,
// and its result has the other. Package oidcauth sets it for package spacetime,
// which has more to ask before it uses a ticket up.
var Check func(auth any, r *http.Request, ticket, database string) (Checked, error)

// Sell is [localissuer.Issuer.Ticket], of issuer, for claims of this token. If it
// is a token of the issuer's own, the ticket gives it back. Package localissuer
// sets it for package spacetime, whose clients forget what they had.
var Sell func(issuer any, r *http.Request, token string, claims any, database string) (string, error)

// Seal seals what a ticket says of its original, the payload byte for byte, which
// the JSON encoder would not keep. One that is not a JSON object and nothing else, by the
// rules of package jws, is refused.
func Seal(secret []byte, ticketID string, o Original, payload string) (string, error) {
	head, err := encode(o)
	if err != nil {
		return "", err
	}
	content := slices.Concat(head[:len(head)-1], []byte(`,"claims":`+payload+`}`))
	members, err := jws.ParseObject(nil, string(content))
	if err == nil && !isAll(members[len(members)-1], payload) {
		err = errors.New("a payload that is not one JSON object")
	}
	if err != nil {
		return "", refusal.Because(refusal.Ticket, refusal.ErrMalformedToken, err)
	}
	return Encrypt(secret, ticketID, content)
}

// isAll reports whether a payload is one object, which became the member.
func isAll(m jws.Member, payload string) bool {
	return m.Kind == jws.Object && m.Value == strings.Trim(payload, whiteSpace)
}

// whiteSpace is what may stand around a JSON text (RFC 8259, section 2).
const whiteSpace = " \t\r\n"

// Open opens what Seal sealed, the payload byte for byte: whoever is asked about the whole
// token, or given it back, has to have it as it was signed. The error is a refusal.
func Open(secret []byte, ticketID, sealed string) (o Original, payload string, err error) {
	content, err := Decrypt(secret, ticketID, sealed)
	if err != nil {
		return o, "", err
	}
	claims, found, err := jws.Lookup(content, "claims")
	if err != nil || !found || claims.Kind != jws.Object || josejson.Unmarshal([]byte(content), &o) != nil || o.Type == nil {
		return o, "", Malformed()
	}
	return o, withSpace(content, claims.Value), nil
}

// withSpace returns the last value of an object with the white space around it.
func withSpace(object, value string) string {
	rest := object[:strings.LastIndexByte(object, '}')]
	before := strings.TrimRight(rest[:strings.LastIndex(rest, value)], whiteSpace)
	return rest[len(before):]
}

// Malformed refuses a ticket that has another form than ours.
func Malformed() error {
	return refusal.New(refusal.Ticket, refusal.ErrMalformedToken, "a ticket of another form", "one of ours")
}
