package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// A listenerSecret is the secret of the admin listener.
type listenerSecret struct {
	text   string
	digest [sha256.Size]byte
}

// is reports whether a text is the secret, in the same time whatever it is. It may be
// called on nil, which is none.
func (s *listenerSecret) is(text string) bool {
	digest := sha256.Sum256([]byte(text))
	return s != nil && subtle.ConstantTimeCompare(digest[:], s.digest[:]) == 1
}

// mayBeLike reports whether somebody who means the secret may have written a text that
// begins so. It may be called on nil.
func (s *listenerSecret) mayBeLike(prefix string) bool {
	return s != nil && strings.HasPrefix(s.text, prefix)
}

// adminsOpaque returns what the opaque tokens of admins begin with, one for each
// description by which an issuer is asked about them.
func adminsOpaque(issuers []oidcauth.Issuer, admin *adminConfig) (prefixes []string) {
	if admin == nil || admin.Bearer == nil {
		return nil
	}
	for n := range issuers {
		if i := &issuers[n]; i.Introspect != nil && slices.Contains(admin.Bearer.Issuers, i.URL) {
			prefixes = append(prefixes, i.OpaquePrefix)
		}
	}
	return prefixes
}

// isToken reports whether what came is to be judged as a token. About an opaque one its
// issuer is asked, and so learns it: what may be the secret with a slip in it is none,
// and one that no admin has is not worth the question. What has the form of a JWT is
// sent to nobody.
func (a *admin) isToken(text string, secret *listenerSecret) bool {
	if strings.Count(text, ".") == 2 {
		return true
	}
	return slices.ContainsFunc(a.server.live.Load().adminsOpaque, func(prefix string) bool {
		return strings.HasPrefix(text, prefix) && !secret.mayBeLike(prefix)
	})
}
