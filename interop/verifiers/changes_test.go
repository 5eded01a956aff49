package verifiers_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

const unknownKeyID = "nobody's"

// key returns the key that a sample is signed with.
func (w *world) key(s sample) *oidctest.Key {
	alg, _ := s.Header["alg"].(string)
	if key := w.keys[alg]; key != nil {
		return key
	}
	return w.keys["RS256"]
}

// A change makes a token of a sample that differs in one thing.
type change struct {
	name string
	make func(w *world, s sample) string
}

// with is a change of members of the header and of claims; a nil removes one.
func with(name string, header, payload object) change {
	return change{name, func(w *world, s sample) string { return w.sign(s.changed(header, payload)) }}
}

// of is a change of one claim that depends on what it was.
func of(name, claim string, by func(old any) any) change {
	return change{name, func(w *world, s sample) string {
		return w.sign(s.changed(nil, object{claim: by(s.Payload[claim])}))
	}}
}

// after returns a time, as tokens have it, that is now until it is used.
func after(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func longer(by string) func(any) any { return func(old any) any { return fmt.Sprint(old) + by } }

func elsewhere(old any) any { return strings.Replace(fmt.Sprint(old), ".", ".evil.", 1) }

// harmless changes leave every token as good as it was.
func harmless() []change {
	return []change{
		with("nothing changed", nil, nil),
		with("issued ten years ago", nil, object{"iat": after(-10 * year)}),
		with("an expiry with a fraction", nil, object{"exp": float64(after(10*time.Minute)) + 0.5}),
		with("a claim that nobody knows", nil, object{"https://example.com/x": object{"y": nil}}),
	}
}

const year = 365 * 24 * time.Hour

// harmful changes leave no token good for anybody.
func harmful() []change {
	return []change{
		with("expired an hour ago", nil, object{"exp": after(-time.Hour), "iat": after(-2 * time.Hour), "nbf": nil}),
		with("an unknown key ID", object{"kid": unknownKeyID, "x5t": nil}, nil),
		{"algorithm none", func(w *world, s sample) string {
			token := w.sign(s.changed(object{"alg": "none"}, nil))
			return token[:strings.LastIndexByte(token, '.')+1]
		}},
	}
}

// forged returns tokens that a stranger makes of a sample. Each has a signature: not
// every verifier answers to a token without one.
func (w *world) forged(s sample) []oidctest.Forgery {
	key := w.key(s)
	all := slices.Concat(key.AttackHMAC(s.Payload), key.AttackHeader(s.Payload), key.AttackSignature(s.Payload))
	return slices.DeleteFunc(all, func(f oidctest.Forgery) bool { return f.Name == "no signature" })
}

// changes are those that verifiers or differences name.
func changes() map[string]change {
	named := map[string]change{}
	for _, c := range []change{
		of("another host", "iss", elsewhere),
		of("a longer issuer", "iss", longer("/x")),
		with("another audience", nil, object{"aud": "another"}),
		with("no audience", nil, object{"aud": nil}),
		with("another client", nil, object{"client_id": "another"}),
		of("an audience in a list", "aud", func(old any) any { return []any{"another", old} }),
		with("an audience that is a string", nil, object{"aud": "projects/1234567890"}),
		with("not valid for an hour", nil, object{"nbf": after(time.Hour)}),
		with("not valid for 20 seconds", nil, object{"nbf": after(20 * time.Second)}),
		with("issued in 20 seconds", nil, object{"iat": after(20 * time.Second), "exp": after(10 * time.Minute)}),
		with("expired 15 seconds ago", nil, object{"exp": after(-15 * time.Second), "iat": after(-time.Hour)}),
		with("an expiry in ten years", nil, object{"exp": after(10 * year)}),
		with("no expiry", nil, object{"exp": nil}),
		with("no time of issue", nil, object{"iat": nil}),
		with("no subject", nil, object{"sub": nil}),
		with("an empty subject", nil, object{"sub": ""}),
		with("a subject of 130 letters", nil, object{"sub": strings.Repeat("x", 130)}),
		with("no key ID", object{"kid": nil, "x5t": nil}, nil),
		with("type jwt in small letters", object{"typ": "jwt"}, nil),
		with("no type", object{"typ": nil}, nil),
		with("bound to a key", nil, object{"cnf": object{"jkt": "x"}}),
		with("another page", nil, object{"azp": "https://evil.example"}),
		with("no page", nil, object{"azp": nil}),
		with("another nonce", nil, object{"nonce": "another"}),
		with("no nonce", nil, object{"nonce": nil}),
		with("another use", nil, object{"token_use": "another"}),
		with("no commit", nil, object{"sha": nil}),
	} {
		named[c.name] = c
	}
	return named
}
