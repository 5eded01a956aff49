package extract

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// First takes the token from wherever one of the functions finds it, and lets all
// of them look, so that it is removed from every place.
func First(places []Func) Func {
	return func(r *http.Request) (string, error) {
		var found findings
		for _, take := range places {
			found.add(take(r))
		}
		token, err := found.result()
		if err == nil && found.places > 1 {
			removeCopies(r.Header, token)
		}
		return token, err
	}
}

// findings are what the extractors of one request have found.
type findings struct {
	places   int            // that carry something
	token    string         // that may be used
	withheld *withheldToken // that may not, alone
	refused  error          // the first
	wants    []string       // what the extractors that found none look for
	bad      bool           // there is more than one token, or one is badly written
}

// add takes in what one extractor returned.
func (f *findings) add(token string, err error) {
	if errors.Is(err, refusal.ErrNoToken) || err == nil && token == "" {
		f.want(err)
		return
	}
	f.places++
	if err == nil {
		f.bad = f.bad || f.token != "" && !sameToken(token, f.token)
		f.token = token
		return
	}
	if f.refused == nil {
		f.refused = err
	}
	w, ok := errors.AsType[*withheldToken](err)
	f.bad = f.bad || !ok || f.withheld != nil && f.withheld.digest != w.digest
	f.withheld = w
}

// want notes what an extractor looks for that found nothing.
func (f *findings) want(err error) {
	if r, ok := errors.AsType[*refusal.Refusal](err); ok && r != nil && r.Want != "" {
		f.wants = append(f.wants, r.Want)
	}
}

// result returns the one token of the request.
func (f *findings) result() (string, error) {
	switch {
	case f.places == 0:
		return "", noToken(strings.Join(f.wants, ", or "))
	case f.places == 1 && f.refused != nil:
		return "", f.refused
	case f.bad || f.token != "" && f.withheld != nil && !f.withheld.is(f.token):
		return "", manyTokens("different tokens in more than one place")
	case f.token == "":
		return "", f.refused
	}
	return f.token, nil
}

// A withheldToken refuses a token for where its request comes from. It can tell
// whether another place carries the same, and not which it is.
type withheldToken struct {
	error
	digest [sha256.Size]byte
}

func (w *withheldToken) Unwrap() error { return w.error }

// is reports whether that token was withheld.
func (w *withheldToken) is(token string) bool {
	digest := digestOf(token)
	return subtle.ConstantTimeCompare(w.digest[:], digest[:]) == 1
}

// withhold refuses the token with err.
func withhold(err error, token string) error { return &withheldToken{err, digestOf(token)} }

// digestKey makes digests of tokens useless outside of this process.
var digestKey = sync.OnceValue(func() (key [sha256.Size]byte) {
	rand.Read(key[:])
	return key
})

func digestOf(token string) (digest [sha256.Size]byte) {
	key := digestKey()
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(token))
	mac.Sum(digest[:0])
	return digest
}
