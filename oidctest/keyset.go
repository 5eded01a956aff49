package oidctest

import (
	"encoding/json"
	"slices"
	"time"
)

// entry is one element of the published key set.
type entry struct {
	id  string // of a JWK added raw: its kid, if that is a string
	alg string // empty for a JWK added raw
	jwk json.RawMessage
}

// Key returns the key that [Issuer.Token] signs with.
func (i *Issuer) Key() *Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.signing
}

// SignWith makes k the key that [Issuer.Token] signs with, published or not.
func (i *Issuer) SignWith(k *Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.signing = k
}

// AddKey makes a key for the algorithm and publishes it beside the others.
// [Issuer.Token] goes on signing with the key it had; [Key.Token] signs with
// the new one.
func (i *Issuer) AddKey(alg string) *Key {
	i.helper()
	k := i.NewKey(KeyConfig{Algorithm: alg})
	i.Publish(k)
	return k
}

// Publish puts keys at the end of the key set, even if one with the same ID is
// there already.
func (i *Issuer) Publish(keys ...*Key) {
	i.helper()
	for _, k := range keys {
		i.publish(entry{id: k.id, alg: k.alg, jwk: k.JWK()})
	}
}

// AddJWK puts any JSON value at the end of the key set: a []byte, a string or
// a [json.RawMessage] as it is, anything else as [json.Marshal] writes it.
func (i *Issuer) AddJWK(jwk any) {
	i.helper()
	raw, err := encode(jwk)
	if err != nil {
		i.fatalf("oidctest: AddJWK: %v", err)
		return
	}
	var head struct {
		ID any `json:"kid"`
	}
	// An element that is no object has no ID, and may still be published.
	_ = json.Unmarshal(raw, &head)
	id, _ := head.ID.(string)
	i.publish(entry{id: id, jwk: raw})
}

// RemoveKey takes every key with the ID out of the key set; the empty ID means
// those without one. A removed key still signs, so that a test can see its
// tokens refused.
func (i *Issuer) RemoveKey(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set = slices.DeleteFunc(slices.Clone(i.set), func(e entry) bool { return e.id == id })
	i.changed = time.Now()
}

// RemoveKeys empties the key set.
func (i *Issuer) RemoveKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set = nil
	i.changed = time.Now()
}

// Rotate makes a new key, publishes it, and signs with it from now on. The old
// keys stay published, as with an issuer that rotates with care.
func (i *Issuer) Rotate() *Key {
	i.helper()
	k := i.AddKey(i.alg)
	i.SignWith(k)
	return k
}

// Replace is a rotation without overlap: the key set holds nothing but a new
// key, which signs from now on.
func (i *Issuer) Replace() *Key {
	i.helper()
	return i.replaceWith(i.NewKey(KeyConfig{}))
}

// ReuseKeyID replaces the key set by one new key under the key ID of the old
// signing key, which no issuer should do and some have done.
func (i *Issuer) ReuseKeyID() *Key {
	i.helper()
	old := i.Key()
	return i.replaceWith(i.NewKey(KeyConfig{ID: old.id, NoID: old.noID}))
}

func (i *Issuer) replaceWith(k *Key) *Key {
	i.helper()
	e := entry{id: k.id, alg: k.alg, jwk: k.JWK()}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set, i.signing, i.changed = []entry{e}, k, time.Now()
	return k
}

func (i *Issuer) publish(e entry) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.set = append(slices.Clone(i.set), e)
	i.changed = time.Now()
}

// KeySet returns the key set as it is published now.
func (i *Issuer) KeySet() json.RawMessage {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keySet()
}

// keySet is KeySet for callers that hold the lock. It is put together by hand,
// so that elements which are not JSON get through unchanged.
func (i *Issuer) keySet() json.RawMessage {
	b := []byte(`{"keys":[`)
	for n, e := range i.set {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, e.jwk...)
	}
	return append(b, "]}\n"...)
}
