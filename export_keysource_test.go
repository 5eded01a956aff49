package oidcauth

import (
	"maps"
	"slices"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// FollowGrants follows the source of an issuer. While keys take the place of others,
// adopting is told which may sign tokens that do not name them.
func FollowGrants(i Issuer, adopting func(ids []string)) error {
	var f *followedSource
	f, err := i.follow(func(_, before *sourceKeys) error {
		if before != nil {
			adopting(slices.Sorted(maps.Keys(f.latest.Load().withoutKeyID)))
		}
		return nil
	}, nil)
	return err
}

// FollowLost follows the source of an issuer. Lost is told which keys may no longer sign
// tokens that do not name them.
func FollowLost(i Issuer, lost func(ids []string)) error {
	_, _, err := i.newSourceKeySet(keyset.Config{Issuer: i.URL}, func(keys []*keyset.Key) {
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.ID())
		}
		lost(ids)
	})
	return err
}

// Unfollow has the session live by the key that signed its token, as before anybody looked
// for another in its place.
func (s *Session) Unfollow() {
	g, x := s.grant.Load(), s.auth.sessions
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.unlink(g, byKey, x.hashKey(g.key.Load()))
	g.key.Store(g.claims.key)
	sh.link(g, byKey, x.hashKey(g.claims.key))
}
