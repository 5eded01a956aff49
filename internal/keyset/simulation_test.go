package keyset_test

import (
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

var (
	seeds     = flag.Int("keyset.seeds", defaultSeeds, "simulations to run in TestSimulation")
	firstSeed = flag.Uint64("keyset.seed", 1, "the first simulation's seed")
)

const simulated = 48 * time.Hour

// simulation is a model of what a key set may and must do, beside a real one.
type simulation struct {
	t      *testing.T
	random *rand.Rand
	issuer *issuer
	set    *keyset.Set

	published []string // key IDs in the issuer's set
	odd       []string // published besides, and of no use
	made      int
	fault     string
	lastFault time.Time // when one was last mended
	healing   float64   // how often an occasion to heal is taken

	current []string // published, as the issuer sees it; guarded by its lock
	answer  atomic.Pointer[goodAnswer]

	live      map[string]*keyset.Key // as last returned
	err       error                  // of the last ask
	asked     time.Time              // when something unknown was last asked for
	windows   int                    // cool-downs' lengths of time in which something unknown was asked for
	window    time.Time              // the last one's beginning
	probes    int
	empty     time.Duration // the longest time that the set may have been without any key
	faultTime time.Duration
	faultAt   time.Time
	faults    int
	rotations int
}

// TestSimulation runs random faults against the model. What is held to be true
// at each moment:
//
//   - A key in the last good answer, given within the stale limit, is returned
//     at once, whatever goes on.
//   - A key that is not in the last good answer is not returned unless a fetch
//     has just brought it, and its pointer is dead.
//   - A token under a published key, with a key ID or without, is accepted or
//     told when to come back. It is never refused, whatever goes on.
//   - While nothing is wrong it is accepted when it does come back, and at once
//     if nobody has asked for anything unknown for two cool-downs, the second of
//     which may begin with a look-up that was put off: also when the issuer had
//     no key before.
//   - What is made up is never accepted.
//   - Fetches stay within a budget, see wantBudget.
//   - After Close nothing is fetched and no key is live.
func TestSimulation(t *testing.T) {
	for n := range *seeds {
		seed := *firstSeed + uint64(n)
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		}) {
			t.Logf("repeat with -run TestSimulation -keyset.seeds 1 -keyset.seed %d", seed)
			return
		}
	}
}

func simulate(t *testing.T, seed uint64) {
	m := &simulation{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), issuer: newIssuer(),
		live: map[string]*keyset.Key{},
	}
	m.healing = []float64{1, 0.3, 0.05}[m.random.IntN(3)]
	maxAge := []time.Duration{0, time.Minute, 20 * time.Minute, time.Hour, 6 * time.Hour, 48 * time.Hour}[m.random.IntN(6)]
	if maxAge > 0 {
		m.issuer.header.Set("Cache-Control", fmt.Sprintf("max-age=%d", int(maxAge.Seconds())))
	}
	if m.random.IntN(2) == 0 {
		m.issuer.etag = `"0"`
	}
	m.issuer.served = m.serve
	if m.random.IntN(3) == 0 {
		m.odd = []string{`{"kty":"oct","kid":"odd","k":"AAAA"}`}
	}
	began := time.Now()
	first := began // when the first key is published
	if m.random.IntN(3) == 0 {
		first = first.Add(time.Duration(m.random.IntN(int(6 * time.Hour))))
	}
	m.publish()
	jitter := rand.New(rand.NewPCG(seed, 2))
	cfg := keyset.WithRandom(m.issuer.config(t), jitter.Float64)
	cfg.KeepWarm = m.random.IntN(4) > 0
	m.set = start(t, cfg)
	for time.Since(began) < simulated {
		if len(m.published) == 0 && !time.Now().Before(first) {
			m.empty = time.Since(began)
			m.rotate()
			m.askPublished()
		}
		time.Sleep(time.Duration(m.random.ExpFloat64() * float64(5*time.Minute)))
		synctest.Wait()
		m.step()
	}
	m.wantBudget(maxAge)
	m.wantEnd()
}

// wantEnd closes the set in the middle of whatever it does.
func (m *simulation) wantEnd() {
	_, _ = m.set.Keys(within(m.t, time.Millisecond), "last", true)
	m.set.Close()
	fetches := m.issuer.count()
	time.Sleep(2 * keyset.StaleLimit)
	if got := m.issuer.count(); got != fetches {
		m.t.Fatalf("%d fetches after Close", got-fetches)
	}
	for id, k := range m.live {
		if k.Live(time.Now()) {
			m.t.Fatalf("key %s is live after Close", id)
		}
	}
}

// goodAnswer is what the set must have learnt.
type goodAnswer struct {
	ids []string
	at  time.Time
}

// serve is called by the issuer, under its lock, when it sends a good answer.
func (m *simulation) serve() { m.answer.Store(&goodAnswer{m.current, time.Now()}) }

// inHand reports whether the last good answer has the key and may still serve.
func (m *simulation) inHand(id string) bool {
	a := m.answer.Load()
	return a != nil && time.Since(a.at) < keyset.StaleLimit && slices.Contains(a.ids, id)
}

func (m *simulation) step() {
	switch n := m.random.IntN(100); {
	case n < 4:
		m.rotate()
	case n < 7:
		m.remove()
	case n < 10:
		m.damage()
	case n < 14:
		if m.random.Float64() < m.healing {
			m.heal()
		}
	case n < 16:
		m.flood()
	case n < 22:
		m.askGarbage(fmt.Sprint("garbage", m.random.IntN(3)))
	case n < 26:
		m.askGarbage([]string{"odd", fmt.Sprint("made-up", m.random.Uint64())}[m.random.IntN(2)])
	case n < 30:
		m.askForged()
	case n < 33:
		m.probe()
	case n < 35:
		m.rotateMeanwhile()
	case n < 60:
		m.askPublished()
	default:
		m.askServed()
	}
	m.checkLive()
}

func (m *simulation) rotate() {
	if len(m.published) == 0 && m.made > 0 {
		m.t.Fatal("no key is left")
	}
	id := fmt.Sprint("k", m.made)
	m.made++
	m.rotations++
	m.published = append(m.published, id)
	m.publish()
}

// rotateMeanwhile publishes a key while the answer to somebody's made-up key ID is
// on its way, and presents a token under it at once.
func (m *simulation) rotateMeanwhile() {
	if m.fault != "" || len(m.published) == 0 {
		return
	}
	m.issuer.set(func(i *issuer) { i.delay, i.early = 1500*time.Millisecond, true })
	m.count(false)
	go func() { _, _ = m.set.Keys(within(m.t, 2*time.Second), fmt.Sprint("meanwhile", m.made), true) }()
	time.Sleep(700 * time.Millisecond)
	m.rotate()
	m.ask(m.published[len(m.published)-1]) // never said to be unknown
	time.Sleep(2 * time.Second)
	m.issuer.set(func(i *issuer) { i.delay, i.early = 0, false })
}

func (m *simulation) remove() {
	if len(m.published) > 1 {
		m.published = m.published[1:]
		m.publish()
	}
}

func (m *simulation) publish() {
	keys := slices.Clone(m.odd)
	for _, id := range m.published {
		keys = append(keys, fastKey(id, numberOf(id)))
	}
	m.issuer.set(func(i *issuer) {
		i.good = jwks(keys...)
		m.current = slices.Clone(m.published)
		if m.fault != "empty" && m.fault != "garbage" {
			i.body = i.good
		}
		if i.etag != "" {
			i.etag = fmt.Sprintf(`"%d-%d"`, m.made, len(keys))
		}
	})
}

func (m *simulation) damage() {
	m.heal()
	m.faults++
	m.faultAt = time.Now()
	m.fault = []string{"outage", "hang", "500", "empty", "garbage", "slow"}[m.random.IntN(6)]
	m.issuer.set(func(i *issuer) {
		i.broken, i.hang, i.status, i.delay, i.body = false, false, 0, 0, i.good
		switch m.fault {
		case "outage":
			i.broken = true
		case "hang":
			i.hang = true
		case "500":
			i.status = http.StatusInternalServerError
		case "empty":
			i.body = `{"keys":[]}`
		case "garbage":
			i.body = `{"keys":[{"kty":"EC"},`
		case "slow":
			i.delay = 4 * time.Second
		}
	})
}

func (m *simulation) heal() {
	if m.fault != "" {
		m.faultTime += time.Since(m.faultAt)
		m.lastFault = time.Now()
	}
	m.fault = ""
	m.issuer.set(func(i *issuer) {
		i.broken, i.hang, i.status, i.delay, i.body = false, false, 0, 0, i.good
	})
}

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
	keys, err := m.set.Keys(within(m.t, 2*time.Second), id, true)
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
	keys, err := m.set.Keys(ctx, "", false)
	signed := func(k *keyset.Key) bool { return k.Public().(ed25519.PublicKey).Equal(fastPublic(numberOf(id))) }
	n := slices.IndexFunc(keys, signed)
	if err == nil && n < 0 {
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

// checkLive holds the keys that were handed out against the model.
func (m *simulation) checkLive() {
	m.t.Helper()
	synctest.Wait()
	for id, k := range m.live {
		live := k.Live(time.Now())
		if live && !m.inHand(id) {
			m.t.Fatalf("key %s is live though it left the set or was not confirmed for too long", id)
		}
		if !live {
			delete(m.live, id) // dead for good
		}
	}
}

// wantBudget derives what fetches may cost:
//
//   - a refresh no sooner than 76 % of a lifetime after a success;
//   - for unknown key IDs, in the length of a cool-down, one look-up at once and
//     one at its end, and besides one for each rotation that a look-up found;
//   - failures: the back-off's waits double from 0.75 s, so a series has at most
//     nine before it waits 22.5 seconds or longer for each, which is what it
//     waits without keys, and lasts as long as a fault does and one more wait;
//   - while there is no key, one for each probe, and one in 22.8 seconds.
func (m *simulation) wantBudget(maxAge time.Duration) {
	lifetime := time.Hour
	if maxAge > 0 {
		lifetime = min(max(maxAge, 5*time.Minute), 24*time.Hour)
	}
	refreshes := 1 + int(simulated/(lifetime*76/100))
	lookups := m.rotations + 2*m.windows
	m.heal()
	failures := 10*m.faults + int(m.faultTime/(22500*time.Millisecond))
	polls := m.probes + int(m.empty/(22800*time.Millisecond))
	most := refreshes + lookups + failures + polls
	if got := m.issuer.count(); got > most {
		m.t.Fatalf("%d fetches, want at most %d: %d refreshes, %d look-ups, %d failures, %d without a key", got, most, refreshes, lookups, failures, polls)
	}
}
