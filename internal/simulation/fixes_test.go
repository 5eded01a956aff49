package simulation_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var withoutFixes = flag.Bool("simulation.fixes", false, "have TestFixes take out each of the fixes, and want TestSimulation to fail")

// mostSeeds is how many simulations run without a fix before it counts as not noticed.
const mostSeeds = 2000

// A fix is a place of the library that mends, or prevents, a fault that was found
// before; and what it would be without.
type fix struct {
	name         string // says what happens without it
	file         string
	with, absent string
}

// fixes are those of issuers' keys, revocations, tickets and the local issuer.
var fixes = []fix{
	{
		"a revocation that the log does not take is not tried again", "internal/revoked/share.go",
		"f.unshared.add(w)\n\t\tif f.isNews", "if f.isNews",
	},
	{
		"a revocation that waits is not written to its directory", "internal/revoked/share.go",
		"failed := f.write(w)", "var failed error",
	},
	{
		"of two revocations under one name both end with the first", "internal/revoked/list.go",
		"func(other *entry) bool { return other == e }", "func(*entry) bool { return true }",
	},
	{
		"a logout is forgotten where all of its issuer's tokens are withdrawn later", "internal/revoked/bound.go",
		"(e.replaces || !r.IssuedBefore.IsZero()) &&", "",
	},
	{
		"what waits in the directory does not hold in the next process", "internal/revoked/share.go",
		"l.Add(r)\n\t\tq.add(&waitingEntry{", "q.add(&waitingEntry{",
	},
	{
		"what was verified before is not asked whether it was revoked", "auth.go",
		"return a.checkRevoked(c, k, now)", "return nil",
	},
	{
		"first contacts have no bound", "internal/strangers/budget.go",
		"func (b *budget) take() { b.left-- }", "func (b *budget) take() {}",
	},
	{
		"a key that has left the set is trusted by who has it", "internal/keyset/state.go",
		"k.removed.Store(true)", "",
	},
	{
		"what was verified before is not asked about its key", "auth.go",
		"if c.answered == nil && !k.Live(a.keyTime(now)) {", "if false {",
	},
	{
		"a session is not told that its key has left the set", "internal/keyset/state.go",
		"s.notes = append(s.notes, func() { hook(keys) })", "_ = hook",
	},
	{
		"keys serve for as long as nobody says otherwise", "internal/keyset/state.go",
		"return at < p.limit && now.UnixNano() < p.wallLimit", "return true",
	},
	{
		"a document that names another issuer is believed", "internal/fetch/discover.go",
		"m.Issuer != issuer && !slices", "false && !slices",
	},
	{
		"a removed key of the local issuer's is not remembered", "internal/keyring/ring.go",
		"i, i+1)\n\tr.Gone = withGone(r.Gone, id)", "i, i+1)",
	},
	{
		"a used ticket is not told to the other servers", "ticket.go",
		"if e.auth.follower == nil {", "if true {",
	},
	{
		"a used ticket is forgotten by the server that took it", "internal/ticket/ledger.go",
		"u.used[id] = oneUse{expiry, at}", "_ = at",
	},
	{
		"a lookup that was postponed does not take place", "internal/keyset/cooldown.go",
		"\tc.planned = true\n", "",
	},
	{
		"a token whose lookup is postponed is refused for good", "internal/keyset/ask.go",
		"return nil, nil, s.cannotAsk(now, q, later(s.cool.until, s.retryAt), ErrPostponed)", "return nil, nil, ErrUnknownKey",
	},
	{
		"a key ID that was looked for in vain is never looked for again", "internal/keyset/ask.go",
		"s.cool.active(now) && s.cool.refused.has(q.id)", "s.cool.refused.has(q.id)",
	},
	{
		"a lookup in a flood is charged to nobody", "internal/keyset/cooldown.go",
		"s.cool.until = now.Add(coolDownTime)\n\ts.cool.refused = vain", "s.cool.refused = vain",
	},
}

// Without any of the fixes the simulation fails. By default it is only looked whether
// the places are there.
func TestFixes(t *testing.T) {
	const root = "../.."
	for _, f := range append(fixes, furtherFixes...) {
		t.Run(f.name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join(root, f.file))
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), f.with); n != 1 {
				t.Fatalf("%s has %q %d times, want it once", f.file, f.with, n)
			}
			if *withoutFixes {
				expectFound(t, path, strings.Replace(string(source), f.with, f.absent, 1))
			}
		})
	}
}

// expectFound runs the simulation with a file changed, as the compiler alone sees it.
func expectFound(t *testing.T, path, changed string) {
	dir := t.TempDir()
	instead := filepath.Join(dir, "changed.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: instead}})
	if err == nil {
		err = os.WriteFile(instead, []byte(changed), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(*firstSeed, mostSeeds, "-overlay="+filepath.Join(dir, "overlay.json"))
	found := regexp.MustCompile(`--- FAIL: TestSimulation/seed_(\d+) .*\n.*?: *(.*)`).FindSubmatch(out)
	switch {
	case err == nil:
		t.Fatalf("not noticed in %d seeds", mostSeeds)
	case found == nil:
		t.Fatalf("the simulation does not run: %v\n%s", err, out)
	}
	seed, _ := strconv.ParseUint(string(found[1]), 10, 64)
	if out, err := run(seed, 1); err != nil {
		t.Fatalf("with the fix seed %d fails too: %v\n%s", seed, err, out)
	}
	t.Logf("found by seed %d, the %d.: %s", seed, seed-*firstSeed+1, found[2])
}

// run runs the simulation in a process of its own.
func run(first, number uint64, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-vet=off", "-count=1", "-timeout=30m", "-run=TestSimulation$"}, flags...)
	args = append(args, ".", "-simulation.seed", strconv.FormatUint(first, 10), "-simulation.seeds", strconv.FormatUint(number, 10))
	return exec.Command("go", args...).CombinedOutput()
}
