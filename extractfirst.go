package oidcauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// FirstOf takes the token from wherever one of the extractors finds it. All of
// them are tried, so that the token is removed from every place. The same token in
// several places is one token; two that differ are malformed (RFC 6750, section
// 2), and so is a good token beside a badly written one. An extractor that returns
// neither a token nor an error has found none.
//
// A cookie whose Origin is not allowed is still refused where it stands alone. It
// counts where another place carries the same token: whoever can put it there
// knows it, which the page of another site does not. That is not so of a header
// that a proxy fills from the cookie: let the proxy check the Origin there.
//
// No extractor at all is an error of [New], and so is a nil one.
func FirstOf(extractors ...Extractor) Extractor {
	extractors = slices.Clone(extractors)
	if len(extractors) == 0 {
		return invalid(errors.New("oidcauth: FirstOf: got no extractor, want one at least"))
	}
	for i, extract := range extractors {
		if extract == nil {
			return invalid(fmt.Errorf("oidcauth: FirstOf: extractor %d of %d is nil", i+1, len(extractors)))
		}
		if err := argumentsOf(extract); err != nil {
			return invalid(err)
		}
	}
	return func(r *http.Request) (string, error) {
		var found findings
		for _, extract := range extractors {
			found.add(extract(r))
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
	refusal  error          // the first
	bad      bool           // there is more than one token, or one is badly written
}

// add takes in what one extractor returned.
func (f *findings) add(token string, err error) {
	if errors.Is(err, ErrNoToken) || err == nil && token == "" {
		return
	}
	f.places++
	if err == nil {
		f.bad = f.bad || f.token != "" && !sameToken(token, f.token)
		f.token = token
		return
	}
	if f.refusal == nil {
		f.refusal = err
	}
	w, ok := errors.AsType[*withheldToken](err)
	f.bad = f.bad || !ok || f.withheld != nil && f.withheld.digest != w.digest
	f.withheld = w
}

// result returns the one token of the request.
func (f *findings) result() (string, error) {
	switch {
	case f.places == 0:
		return "", noToken("")
	case f.places == 1 && f.refusal != nil:
		return "", f.refusal
	case f.bad || f.token != "" && f.withheld != nil && !f.withheld.is(f.token):
		return "", malformed("different tokens in more than one place", "one token")
	case f.token == "":
		return "", f.refusal
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

// sameToken compares two tokens in a time that does not tell where they differ.
func sameToken(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// allSame reports whether the tokens, of which there is at least one, are one.
func allSame(tokens []string) bool {
	for _, token := range tokens[1:] {
		if !sameToken(token, tokens[0]) {
			return false
		}
	}
	return true
}

// removeCopies cuts a token that stood in several places out of whatever header
// still has it: an extractor of the program's own may have left it. What is short
// could be equal to another header by chance or on purpose, an address for instance.
func removeCopies(h http.Header, token string) {
	const shortest = 64
	if len(token) < shortest {
		return
	}
	hasToken := func(value string) bool { return strings.Contains(value, token) }
	for name, values := range h {
		if !slices.ContainsFunc(values, hasToken) {
			continue
		}
		if name == "Cookie" {
			removeCookieCopies(h, hasToken)
			continue
		}
		var rest []string
		for _, value := range values {
			left := strings.TrimSpace(strings.ReplaceAll(value, token, ""))
			if !hasToken(value) {
				left = value
			}
			if left != "" && !strings.EqualFold(left, "Bearer") {
				rest = append(rest, left)
			}
		}
		if len(rest) == 0 {
			delete(h, name)
			continue
		}
		h[name] = rest
	}
}

// removeCookieCopies removes the cookies that have the token, whole: to whoever
// looks at it next, one that is left empty is a token badly written.
func removeCookieCopies(h http.Header, hasToken func(string) bool) {
	var rest []string
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.TrimSpace(part); part != "" && !hasToken(part) {
				rest = append(rest, part)
			}
		}
	}
	if len(rest) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{strings.Join(rest, "; ")}
}

// invalid returns an extractor that refuses every request with err, because the
// arguments that it should be made from can never be right. [argumentsOf] knows
// it by its code, which is why that must stand in one place.
//
//go:noinline
func invalid(err error) Extractor {
	return func(*http.Request) (string, error) { return "", err }
}

// argumentsOf returns what is wrong with the arguments that an extractor of this
// package was made from. It calls no extractor of the program's own: that one may
// rely on what only a request of the server has.
func argumentsOf(extract Extractor) error {
	if reflect.ValueOf(extract).Pointer() != reflect.ValueOf(invalid(nil)).Pointer() {
		return nil
	}
	_, err := extract(nil)
	return err
}
