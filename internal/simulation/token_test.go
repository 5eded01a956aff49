package simulation_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// A token is a token, and what is true of it.
type token struct {
	text        string
	about       string
	p           *provider // whose keys are to have signed it; nil for the local issuer's
	keyID       string
	unnamed     bool   // it does not say which key
	of          string // the key that signed it: ID and material
	tampered    bool
	opaque      *opaque // its issuer is asked about it; nil for a JWT
	held        string  // whose an opaque one is by the claims of a session, or of a ticket
	issuer      string
	sub         string
	sid         string
	jti         string
	aud         string
	also        string       // a further audience
	prover      *prover      // whose key it is bound to; nil for none
	certificate *certificate // that it is bound to; nil for none
	issued      time.Time
	begins      time.Time // zero for at once
	expires     time.Time
	good        map[*node]int        // which process has accepted it
	acceptedBy  map[*node]acceptance // the last time that it was accepted by an answer
	seller      *soldTicket          // that it came by, whole; nil for a token itself
	history     []string

	// What a server makes of it: see as.
	read        bool
	wanted      string // audience
	description string // that decides about it
	prefix      string
	reserved    bool // the subject begins as those of another description do
}

func (t *token) String() string {
	return fmt.Sprintf("token %s, %s, of %s, sub %s, key %q, issued %s, expires %s", t.jti, t.about, t.issuer, t.sub, t.keyID, t.issued.Format(time.DateTime), t.expires.Format(time.DateTime))
}

func (t *token) note(w *world, format string, args ...any) {
	const kept = 40
	if len(t.history) >= kept {
		t.history = t.history[1:]
	}
	t.history = append(t.history, w.stamp()+fmt.Sprintf(format, args...))
}

// Subjects are the same at all issuers: what is said of one of them is not said of
// the others.
var (
	subjects = []string{"alice", "bob", "carol"}
	logins   = []string{"login-1", "login-2", "login-3"}
)

// lifetimes are those of tokens.
func (w *world) lifetime() time.Duration {
	if w.plan.long {
		return pick(w.random, []time.Duration{time.Hour, 12 * time.Hour, 100 * time.Hour})
	}
	return pick(w.random, []time.Duration{time.Minute, 10 * time.Minute, 5 * time.Hour})
}

// draft returns a token that is good but for its signature, which it has not.
func (w *world) draft(p *provider, k *key) *token {
	w.serial++
	now := time.Now().Truncate(time.Second)
	var bound *prover
	if w.plan.bound && w.chance(3) {
		bound = w.owner()
	}
	return &token{
		about: "good", p: p, issuer: p.named().URL(), keyID: k.ID(), of: k.of, aud: audience,
		good: map[*node]int{}, acceptedBy: map[*node]acceptance{}, prover: bound, certificate: w.certified(), unnamed: w.unnamed(),
		sub: pick(w.random, subjects), sid: pick(w.random, logins), jti: fmt.Sprint("t", w.serial),
		issued: now, expires: now.Add(w.lifetime()),
	}
}

func (t *token) sign(k *key) *token {
	named := k.Key
	if t.unnamed {
		named = k.WithID("")
	}
	t.text = named.Token(t.claims())
	return t
}

func (t *token) claims() map[string]any {
	claims := map[string]any{
		"iss": t.issuer, "sub": t.sub, "sid": t.sid, "jti": t.jti, "aud": t.aud, "iat": t.issued, "exp": t.expires,
	}
	if !t.begins.IsZero() {
		claims["nbf"] = t.begins
	}
	if t.also != "" {
		claims["aud"] = []string{t.aud, t.also}
	}
	confirmation := map[string]any{}
	if t.prover != nil {
		confirmation["jkt"] = t.prover.Thumbprint()
	}
	if t.certificate != nil {
		confirmation["x5t#S256"] = possession.Thumbprint(t.certificate.Certificate)
	}
	if len(confirmation) > 0 {
		claims["cnf"] = confirmation
	}
	return claims
}

// issue makes a token of some kind, of a provider.
func (w *world) issue(p *provider) *token {
	k := p.current()
	if w.chance(4) {
		k = pick(w.random, p.keys)
	}
	t := w.draft(p, k)
	if p.scoped() {
		w.describeOtherwise(t)
	}
	switch w.random.IntN(14) {
	case 0:
		t.about = "expired"
		t.issued = t.issued.Add(-time.Hour)
		t.expires = t.issued.Add(w.upTo(time.Hour)).Truncate(time.Second)
	case 1:
		t.about = "not yet good"
		t.begins = t.issued.Add(w.upTo(20 * time.Minute)).Truncate(time.Second)
	case 2:
		t.about, t.aud = "for somebody else", "other-db"
	case 3:
		t.about = "foreign"
		foreign := newKey(p.NewKey(oidctest.KeyConfig{ID: k.ID()}))
		t.of = foreign.of
		return t.sign(foreign)
	case 4:
		t.about = "tampered"
		return t.sign(k).tamper()
	case 5:
		t.about = "under a key ID that nobody has"
		w.serial++
		unknown := newKey(k.WithID(fmt.Sprint("unknown-", w.serial)))
		t.keyID, t.of, t.unnamed = unknown.ID(), unknown.of, false
		return t.sign(unknown)
	case 6:
		other := pick(w.random, w.providers)
		if other.named() == p.named() {
			break
		}
		t.about = "of another issuer's key"
		k := other.current()
		t.keyID, t.of = k.ID(), k.of
		return t.sign(k)
	}
	return t.sign(k)
}

// tamper changes the payload under the signature.
func (t *token) tamper() *token {
	part := strings.Split(t.text, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(part[1])
	changed := strings.Replace(string(payload), `"sub":"`+t.sub, `"sub":"mallory`, 1)
	t.text = part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(changed)) + "." + part[2]
	t.tampered = true
	return t
}

// issueLocal has the node issue a token of the local issuer's.
func (w *world) issueLocal(n *node) *token {
	w.serial++
	t := &token{
		about: "local", issuer: localName, aud: audience, good: map[*node]int{}, sub: pick(w.random, subjects),
		sid: pick(w.random, logins), jti: "", expires: time.Time{},
	}
	life := time.Duration(1+w.random.IntN(200)) * time.Minute
	text, _, err := n.local.Issue(w.t.Context(), localissuer.Request{Subject: t.sub, Lifetime: life})
	if err != nil {
		if !w.vault.doubtful(n) {
			w.fail(nil, "Issue() error = %v", err)
		}
		return nil
	}
	t.text, t.sid = text, ""
	said := readParts(text)
	t.keyID, t.jti = said.Kid, said.JTI
	t.issued, t.expires = time.Unix(said.Iat, 0), time.Unix(said.Exp, 0)
	w.vault.knows(n)
	if w.chance(8) {
		t.about = "local, tampered"
		t.tamper()
	}
	return t
}
