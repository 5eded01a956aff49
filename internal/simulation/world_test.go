package simulation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
)

const audience = "my-db"

// A world is everything that a seed makes: issuers, servers, clients, and what is
// known of them.
type world struct {
	t      *testing.T
	random *rand.Rand
	beside *rand.Rand // for what came later, so that seeds stay what they were without it
	began  time.Time
	plan   plan
	dir    string

	providers []*provider // configured ones first
	table     *table      // of the program, for Config.FindIssuer
	log       *sharedLog  // nil where a server is alone without one
	vault     *vault      // the local issuer's directory; nil without one
	nodes     []*node

	tokens       []*token
	provers      []*prover // clients' keys; the last is a thief's
	proofs       []sentProof
	rules        *rulebook
	certificates []*certificate // clients'; the last is a thief's
	nonceKey     []byte         // of servers that share one
	tickets      []*soldTicket
	sessions     []*liveSession
	revocations  []*revocation

	latest time.Time // that any clock has shown
	serial int
	recent []string // what happened last
	tally  tally
}

// A plan is what a world is like, as its seed says.
type plan struct {
	servers         int
	shared          bool // there is a log of revocations
	local           bool
	found           bool
	anyone          bool
	keyCache        bool
	revocationDir   bool
	requireAll      bool // Config.RequireRevocations
	cacheBytes      int64
	leeway          time.Duration
	keepWarm        bool
	long            bool // days with long pauses, in place of minutes with short ones
	steps           int
	maxAge          time.Duration // of key sets; zero for no header
	strangersAtOnce int
	strangersRate   float64
	maxStrangers    int
	opaque          bool // the first issuer has opaque tokens, too
	clusters        bool // the second issuer has several descriptions
	supplied        bool // the first issuer is asked for roles
	answerAge       time.Duration
	bound           bool   // some tokens are bound to keys
	proofs          string // how it is known that proofs are not used again; empty where none are taken

	certified         bool // some tokens are bound to certificates
	readsCertificates bool // Config.Certificate is set
	unnamed           bool // some tokens bear no key ID
}

func drawPlan(r *rand.Rand) plan {
	p := plan{
		servers: 1 + r.IntN(3), long: r.IntN(4) == 0, steps: 70,
		keyCache: r.IntN(3) > 0, requireAll: r.IntN(3) == 0, revocationDir: r.IntN(3) > 0,
		found: r.IntN(2) == 0, anyone: r.IntN(2) == 0, keepWarm: r.IntN(2) == 0,
		cacheBytes: []int64{0, 0, -1}[r.IntN(3)],
		leeway:     []time.Duration{0, -1, 2 * time.Minute}[r.IntN(3)],
		maxAge:     []time.Duration{0, 0, 5 * time.Minute, 6 * time.Hour}[r.IntN(4)],
		// Small ones are soon exhausted.
		strangersAtOnce: []int{0, 2, 4}[r.IntN(3)], strangersRate: []float64{0, 1, 3}[r.IntN(3)],
		maxStrangers: []int{0, 24}[r.IntN(2)],
	}
	p.opaque, p.clusters = r.IntN(2) == 0, r.IntN(2) == 0
	p.answerAge = []time.Duration{0, 15 * time.Second, 5 * time.Minute}[r.IntN(3)]
	p.supplied = r.IntN(3) == 0
	p.bound = r.IntN(3) > 0
	if p.bound {
		p.proofs = pick(r, []string{"", remembered, nonces, sharedNonces, replays, replays})
	}
	p.shared = p.servers > 1 || r.IntN(2) == 0
	if !p.shared && p.proofs == replays {
		p.proofs = remembered
	}
	p.local = !p.long && r.IntN(4) > 0
	return p
}

// newWorld starts everything.
func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), beside: rand.New(rand.NewPCG(seed, 2)), began: time.Now(), latest: time.Now(), dir: t.TempDir(), tally: tally{}}
	w.plan = drawPlan(w.random)
	w.plan.certified, w.plan.readsCertificates = w.beside.IntN(2) == 0, w.beside.IntN(5) > 0
	w.plan.unnamed = w.beside.IntN(2) == 0
	w.addProviders()
	w.addProvers()
	w.addCertificates()
	w.rules = &rulebook{of: map[string]string{}, spared: map[string]time.Time{}}
	if w.plan.shared {
		w.log = newSharedLog()
	}
	if w.plan.local {
		w.vault = newVault(w, filepath.Join(w.dir, "keys"))
	}
	for i := range w.plan.servers {
		n := newNode(w, i)
		w.nodes = append(w.nodes, n)
		n.start()
	}
	return w
}

func (w *world) chance(n int) bool { return w.random.IntN(n) == 0 }

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(d)))
}

func (w *world) node() *node { return pick(w.random, w.nodes) }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// note keeps what happens, for whoever has to find out why a run has failed.
func (w *world) note(format string, args ...any) {
	const kept = 60
	w.recent = append(w.recent, w.stamp()+fmt.Sprintf(format, args...))
	if len(w.recent) > kept {
		w.recent = slices.Clone(w.recent[len(w.recent)-kept:])
	}
}

func (w *world) stamp() string { return fmt.Sprintf("%10.3fs ", time.Since(w.began).Seconds()) }

// fail ends the run with what led to it: what happened last, and what did to the
// token.
func (w *world) fail(t *token, format string, args ...any) {
	w.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s%s\n%+v", w.stamp(), fmt.Sprintf(format, args...), w.plan)
	fmt.Fprintf(&text, "\nwhat happened last:\n%s", strings.Join(w.recent, "\n"))
	if t != nil {
		fmt.Fprintf(&text, "\n%s:\n%s", t, strings.Join(t.history, "\n"))
	}
	w.t.Fatal(text.String())
}

// close ends all servers. What is left of them then hangs the bubble, which fails
// the test.
func (w *world) close() {
	for _, n := range w.nodes {
		n.stop()
	}
}

// A tally counts what happened, so that a simulation in which nothing happens is
// seen.
type tally map[string]int

func (t tally) add(o tally) {
	for name, n := range o {
		t[name] += n
	}
}

// kind names what a refusal is, for counts and traces.
func kind(err error) string {
	if err == nil {
		return "accepted"
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	return "other"
}

var sentinels = []struct {
	name string
	err  error
}{
	{"unknown issuer", oidcauth.ErrUnknownIssuer}, {"unknown key", oidcauth.ErrUnknownKey},
	{"signature", oidcauth.ErrSignature}, {"expired", oidcauth.ErrExpired},
	{"not yet valid", oidcauth.ErrNotYetValid}, {"issued in the future", oidcauth.ErrIssuedInFuture},
	{"audience", oidcauth.ErrAudience}, {"revoked", oidcauth.ErrRevoked},
	{"ticket used", oidcauth.ErrTicketUsed}, {"origin", oidcauth.ErrOrigin},
	{"nonce", dpop.ErrUseNonce}, {"invalid proof", dpop.ErrInvalidProof}, {"proof", oidcauth.ErrProof},
	{"another identity", oidcauth.ErrIdentityMismatch}, {"malformed token", oidcauth.ErrMalformedToken},
	{"type", oidcauth.ErrTokenType}, {"rule", oidcauth.ErrRule},
	{"claim", oidcauth.ErrClaim},
	{"keys unavailable", oidcauth.ErrKeysUnavailable}, {"no answer", oidcauth.ErrAnswerUnavailable},
	{"revocations unavailable", oidcauth.ErrRevocationsUnavailable}, {"closed", oidcauth.ErrClosed},
}
