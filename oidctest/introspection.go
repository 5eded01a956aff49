package oidctest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
)

// OpaquePrefix is what opaque tokens begin with.
const OpaquePrefix = "opaque_"

const introspectionPath = "/introspect"

// OpaqueToken returns a token that says nothing itself: the issuer answers about it at
// the "introspection_endpoint" of its discovery document (RFC 7662), which is a fourth
// endpoint for faults, [Introspection], and takes questions of everybody. The claims
// given are filled in as those of [Issuer.Token] are, with "active" and "token_type".
func (i *Issuer) OpaqueToken(claims map[string]any) string {
	i.helper()
	token := OpaquePrefix + rand.Text()
	answer := map[string]any{"active": true, "token_type": "Bearer"}
	maps.Copy(answer, claims)
	i.SetAnswer(token, i.fill(answer))
	return token
}

// SetAnswer has the issuer answer otherwise about a token from now on: exactly so if
// answer is []byte, string or [json.RawMessage], and as [json.Marshal] writes it
// otherwise. Nil ends the token: it is not active any more, as any other text.
func (i *Issuer) SetAnswer(token string, answer any) {
	i.helper()
	text, err := encode(answer)
	if err != nil {
		i.fatalf("oidctest: answer about a token: %v", err)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if answer == nil {
		delete(i.opaque, token)
		return
	}
	i.opaque[token] = slices.Clone(text)
}

// answerAbout returns what the issuer says about a token. The caller holds the lock.
func (i *Issuer) answerAbout(token string) []byte {
	if answer, known := i.opaque[token]; known {
		return answer
	}
	return []byte(`{"active":false}`)
}

// methods returns the methods that an endpoint takes.
func (at Endpoint) methods() []string {
	if at == Introspection {
		return []string{http.MethodPost}
	}
	return []string{http.MethodGet, http.MethodHead}
}
