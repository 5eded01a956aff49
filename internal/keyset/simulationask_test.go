package keyset_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// askServed presents a token under a key of the last good answer.
func (m *simulation) askServed() {
	a := m.answer.Load()
	if a == nil || len(a.ids) == 0 {
		m.askPublished()
		return
	}
	m.ask(a.ids[m.random.IntN(len(a.ids))])
}

// askPublished presents a token under a key that the issuer has.
func (m *simulation) askPublished() {
	if len(m.published) == 0 {
		m.probe()
		return
	}
	n := m.random.IntN(len(m.published))
	ask := m.ask
	if n < 16 && m.random.IntN(2) == 0 { // no more are tried
		issued := time.Now().Add(time.Second)
		ask = func(id string) *keyset.Key { return m.askKeyless(id, issued) }
	}
	id := m.published[n]
	calm := m.fault == "" && m.lastFault.Before(time.Now().Add(-6*time.Minute)) && time.Since(m.asked) >= 2*keyset.CoolDownTime
	for tries := 0; ask(id) == nil; tries++ {
		var un *keyset.UnavailableError
		switch {
		case !errors.As(m.err, &un):
			m.t.Fatalf("a token under a published key is refused: %v", m.err)
		case calm:
			m.t.Fatalf("a token under a published key has to come back in peace: %v", m.err)
		case m.fault != "":
			return
		case tries > 3:
			m.t.Fatalf("a token under a published key has to come back %d times: %v", tries, m.err)
		case un.RetryAfter > 5*time.Minute:
			m.t.Fatalf("RetryAfter = %v", un.RetryAfter)
		case un.RetryAfter > 0:
			time.Sleep(un.RetryAfter)
		default:
			time.Sleep(time.Second) // left a fetch that began to hang earlier
		}
		synctest.Wait()
	}
}

func (m *simulation) askGarbage(id string) { m.ask(id) }

// askForged presents a token without key ID that no key of the issuer's signed,
// and that says anything of when it was issued.
func (m *simulation) askForged() {
	issued := time.Now().Add(time.Duration((m.random.Float64() - 0.9) * float64(time.Hour)))
	if m.askKeyless(fmt.Sprint("k", -1-m.random.IntN(1000)), issued) != nil {
		m.t.Fatal("a token that nobody signed is accepted")
	}
}

// probe asks for readiness.
func (m *simulation) probe() {
	m.probes++
	began := time.Now()
	err := m.set.Ready(within(m.t, 2*time.Second))
	synctest.Wait()
	a := m.answer.Load()
	has := a != nil && len(a.ids) > 0 && began.Sub(a.at) < keyset.StaleLimit
	if (err == nil) != has && (has || m.fault == "") && m.current != nil {
		m.t.Fatalf("Ready() = %v with %v in hand", err, has)
	}
}

func (m *simulation) flood() {
	before := m.issuer.count()
	for n := range 30 {
		m.ask(fmt.Sprint("flood", n))
	}
	if cost := m.issuer.count() - before; m.fault == "" && cost > 2 {
		m.t.Fatalf("a flood cost %d fetches, want at most 2", cost)
	}
}

// ask presents a token and holds the answer against the model.
func (m *simulation) ask(id string) *keyset.Key {
	m.t.Helper()
	known := m.inHand(id)
	began := time.Now()
	m.count(known)
	keys, err := m.set.Keys(within(m.t, 2*time.Second), jws.Named(id))
	waited := time.Since(began)
	synctest.Wait()
	m.err = err
	switch {
	case known && (err != nil || waited != 0):
		m.t.Fatalf("a known key %s is refused (%v) or waits (%v), last seen %v ago", id, err, waited, time.Since(m.answer.Load().at))
	case err == nil && !known && !m.inHand(id):
		m.t.Fatalf("a key %s that is not in the last good answer is accepted", id)
	case waited > 2*time.Second:
		m.t.Fatalf("waited %v, longer than the caller's time", waited)
	case errors.Is(err, keyset.ErrUnknownKey) && slices.Contains(m.published, id):
		m.t.Fatalf("a key %s that is published is said to be unknown", id)
	case err != nil:
		return nil
	}
	return m.accept(id, keys[0])
}

// count notes an ask for something unknown.
func (m *simulation) count(known bool) {
	if known {
		return
	}
	m.asked = time.Now()
	if m.asked.Sub(m.window) >= keyset.CoolDownTime {
		m.windows++
		m.window = m.asked
	}
}

// accept notes a key that was returned.
func (m *simulation) accept(id string, k *keyset.Key) *keyset.Key {
	if old := m.live[id]; old != nil && old.Live(time.Now()) && old != k {
		m.t.Fatalf("two pointers of key %s are live", id)
	}
	m.live[id] = k
	return k
}

// askKeyless presents a token without key ID that the key signed.
func (m *simulation) askKeyless(id string, issued time.Time) *keyset.Key {
	m.t.Helper()
	known := m.inHand(id)
	began := time.Now()
	m.count(known)
	ctx := within(m.t, 2*time.Second)
	doubt := keyset.Doubt{Token: fmt.Sprint(id, issued), Lookups: m.set.Lookups(), Issued: issued}
	keys, err := m.set.Keys(ctx, jws.KeyID{})
	signed := func(k *keyset.Key) bool { return k.Public().(ed25519.PublicKey).Equal(fastPublic(numberOf(id))) }
	n := slices.IndexFunc(keys, signed)
	for err == nil && n < 0 && len(keys) > 0 && !slices.Equal(keys, doubt.Tried) {
		doubt.Tried = keys
		keys, err = m.set.LookAgain(ctx, doubt)
		n = slices.IndexFunc(keys, signed)
	}
	waited := time.Since(began)
	synctest.Wait()
	m.err = err
	switch {
	case known && slices.Index(m.answer.Load().ids, id) < 16 && (n < 0 || waited != 0):
		m.t.Fatalf("a token under the known key %s is refused (%v) or waits (%v)", id, err, waited)
	case n >= 0 && !known && !m.inHand(id):
		m.t.Fatalf("a key %s that is not in the last good answer is accepted", id)
	case waited > 2*time.Second:
		m.t.Fatalf("waited %v, longer than the caller's time", waited)
	case n < 0:
		return nil
	}
	return m.accept(id, keys[n])
}

// numberOf returns the number that the key's material is made from.
func numberOf(id string) int {
	var n int
	_, _ = fmt.Sscanf(id, "k%d", &n)
	return n
}
