package simulation_test

import (
	"time"

	"github.com/oidcauth/oidcauth"
)

// unnamed has a token bear no key ID, in some worlds, and now and then.
func (w *world) unnamed() bool { return w.plan.unnamed && w.beside.IntN(4) == 0 }

// checksOf is how many keys are tried with a token that names none.
func (p *provider) checksOf() int {
	if p.kind == stranger {
		return 2
	}
	return 4
}

// dueUnnamed is the check of the key and of the signature of a token without key ID,
// which is tried with what there is. Where none fits, the issuer is asked again.
func (n *node) dueUnnamed(t *token) due {
	others := noKey.or(only(oidcauth.ErrUnknownKey, oidcauth.ErrSignature))
	v := n.view(n.holder(t))
	switch {
	case v == nil, time.Since(v.at) >= staleLimit, !v.keys[t.of], t.tampered, t.p.scoped():
		if v != nil && v.keys[t.of] && !t.tampered {
			others = others.or(only(nil))
		}
		return others
	case len(v.keys) > t.p.checksOf(), t.p.kind == found, time.Since(v.atLeast) >= staleLimit:
		return others.or(only(nil))
	}
	return only(nil)
}
