package keyset_test

import (
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
	made      int
	fault     string
	healing   float64 // how often an occasion to heal is taken

	current []string // published, as the issuer sees it; guarded by its lock
	answer  atomic.Pointer[goodAnswer]

	live      map[string]*keyset.Key // as last returned
	err       error                  // of the last ask
	windows   int                    // cool-downs' lengths of time in which an unknown key ID was asked for
	window    time.Time              // the last one's beginning
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
//   - A key that the issuer published while nothing is wrong is accepted within
//     a cool-down, or as soon as the back-off allows.
//   - Fetches stay within a budget, see wantBudget.
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
	m.rotate()
	m.issuer.served = m.serve
	jitter := rand.New(rand.NewPCG(seed, 2))
	cfg := keyset.WithRandom(m.issuer.config(t), jitter.Float64)
	cfg.KeepWarm = m.random.IntN(4) > 0
	m.set = start(t, cfg)
	began := time.Now()
	for time.Since(began) < simulated {
		time.Sleep(time.Duration(m.random.ExpFloat64() * float64(5*time.Minute)))
		synctest.Wait()
		m.step()
	}
	m.wantBudget(maxAge)
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
	case n < 30:
		m.askGarbage("garbage")
	case n < 60:
		m.askPublished()
	default:
		m.askServed()
	}
	m.checkLive()
}

func (m *simulation) rotate() {
	id := fmt.Sprint("k", m.made)
	m.made++
	m.rotations++
	m.published = append(m.published, id)
	m.publish()
}

func (m *simulation) remove() {
	if len(m.published) > 1 {
		m.published = m.published[1:]
		m.publish()
	}
}

func (m *simulation) publish() {
	var keys []string
	for _, id := range m.published {
		var n int
		_, _ = fmt.Sscanf(id, "k%d", &n)
		keys = append(keys, fastKey(id, n))
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
	}
	m.fault = ""
	m.issuer.set(func(i *issuer) {
		i.broken, i.hang, i.status, i.delay, i.body = false, false, 0, 0, i.good
	})
}

// askServed presents a token under a key of the last good answer.
func (m *simulation) askServed() {
	a := m.answer.Load()
	if a == nil {
		m.askPublished()
		return
	}
	m.ask(a.ids[m.random.IntN(len(a.ids))])
}

// askPublished presents a token under a key that the issuer has.
func (m *simulation) askPublished() {
	id := m.published[m.random.IntN(len(m.published))]
	deadline := time.Now().Add(keyset.CoolDownTime)
	for m.ask(id) == nil && m.fault == "" {
		err := m.err
		var un *keyset.UnavailableError
		switch {
		case errors.As(err, &un) && un.RetryAfter > 0 && un.RetryAfter <= 5*time.Minute:
			time.Sleep(un.RetryAfter)
			deadline = time.Now().Add(keyset.CoolDownTime)
		case errors.Is(err, keyset.ErrUnknownKey) && time.Now().Before(deadline):
			time.Sleep(time.Until(deadline))
		case errors.As(err, &un) && un.RetryAfter == 0:
			time.Sleep(time.Second) // left a fetch that began to hang earlier
		default:
			m.t.Fatalf("a published key is refused in peace: %v", err)
		}
		synctest.Wait()
	}
}

func (m *simulation) askGarbage(id string) { m.ask(fmt.Sprint(id, m.random.IntN(3))) }

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
	if !known && began.Sub(m.window) >= keyset.CoolDownTime {
		m.windows++
		m.window = began
	}
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
	case err != nil:
		return nil
	}
	if old := m.live[id]; old != nil && old.Live(time.Now()) && old != keys[0] {
		m.t.Fatalf("two pointers of key %s are live", id)
	}
	m.live[id] = keys[0]
	return keys[0]
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
//     waits without keys, and lasts as long as a fault does and one more wait.
func (m *simulation) wantBudget(maxAge time.Duration) {
	lifetime := time.Hour
	if maxAge > 0 {
		lifetime = min(max(maxAge, 5*time.Minute), 24*time.Hour)
	}
	refreshes := 1 + int(simulated/(lifetime*76/100))
	lookups := m.rotations + 2*m.windows
	m.heal()
	failures := 10*m.faults + int(m.faultTime/(22500*time.Millisecond))
	most := refreshes + lookups + failures
	if got := m.issuer.count(); got > most {
		m.t.Fatalf("%d fetches, want at most %d: %d refreshes, %d look-ups, %d failures", got, most, refreshes, lookups, failures)
	}
}
