package oidcauth

import (
	"sync/atomic"

	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// elsewhereKeys are the keys of a local issuer that may have signed tokens before
// they were its keys: those alone can have signed tokens without key ID. It is
// safe for concurrent use.
type elsewhereKeys struct {
	ids atomic.Pointer[map[string]bool]
}

// adopt notes which keys of a ring are not of the ring's own making: imported
// ones or, with an external signer, all.
func (e *elsewhereKeys) adopt(ring keyring.Ring, external bool) {
	ids := make(map[string]bool)
	for _, k := range ring.Keys {
		if external || k.Imported {
			ids[k.ID] = true
		}
	}
	e.ids.Store(&ids)
}

func (e *elsewhereKeys) has(k *keyset.Key) bool {
	ids := e.ids.Load()
	return ids != nil && (*ids)[k.ID()]
}
