package keyset_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
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
	t.Parallel()
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
		first = first.Add(time.Duration(m.random.Int64N(int64(6 * time.Hour))))
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
	_, _ = m.set.Keys(within(m.t, time.Millisecond), jws.Named("last"))
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
	ctx, madeUp := within(m.t, 2*time.Second), fmt.Sprint("meanwhile", m.made)
	go func() { _, _ = m.set.Keys(ctx, jws.Named(madeUp)) }()
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
