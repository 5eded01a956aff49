package disktest_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/disktest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

var (
	rounds = flag.Int("disk.kills", 8, "how many `times` two processes are killed")
	seed   = flag.Uint64("disk.seed", 1, "of the instants at which they are")
)

// childVariable names the directory in which a process works until it is killed, and
// numberVariable says which of them it is.
const (
	childVariable  = "OIDCAUTH_TEST_DISK"
	numberVariable = "OIDCAUTH_TEST_DISK_NUMBER"
)

// place is where the processes of a test work.
type place string

func (p place) keys() string            { return filepath.Join(string(p), "keys") }
func (p place) cache() string           { return filepath.Join(string(p), "cache") }
func (p place) waiting(n string) string { return filepath.Join(string(p), "waiting-"+n) }

// open starts what a server has on disk, in the directory of that number where each has
// one of its own.
func (p place) open(t *testing.T, n string, cfg oidcauth.Config) (*localissuer.Issuer, *oidcauth.Authenticator, error) {
	l, err := localissuer.New(localissuer.Config{URL: "local", Dir: p.keys(), Audiences: []string{authtest.Audience}, Lifetime: time.Hour})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { l.Close() })
	cfg.Issuers = append(cfg.Issuers, l.Issuer())
	cfg.RevocationDir, cfg.KeyCacheDir = p.waiting(n), p.cache()
	a, err := oidcauth.New(cfg)
	if err == nil {
		t.Cleanup(func() { a.Close() })
	}
	return l, a, err
}

// say tells the parent what was done. It is one write, so that it is told or not.
func say(what string, of any) {
	fmt.Fprintf(os.Stdout, "disk: %s %s %v\n", os.Getenv(numberVariable), what, of)
}

// A tellingLog takes every third revocation, and says so before it answers.
type tellingLog struct {
	*memorylog.Log[oidcauth.Revocation]
}

func (l tellingLog) Append(ctx context.Context, r oidcauth.Revocation) (bool, error) {
	if rand.IntN(3) > 0 {
		return false, memorylog.ErrDown
	}
	say("shared", r.Subject)
	return l.Log.Append(ctx, r)
}

// A worker does everything that writes, again and again.
type worker struct {
	t     *testing.T
	local *localissuer.Issuer
	auth  *oidcauth.Authenticator
}

func work(t *testing.T, p place, n string) {
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	l, a, err := p.open(t, n, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: tellingLog{memorylog.New[oidcauth.Revocation]()},
	})
	if err != nil {
		say("failed", err)
		return
	}
	w := &worker{t, l, a}
	key := issuer.NewKey(oidctest.KeyConfig{ID: fmt.Sprint(os.Getpid())})
	issuer.Publish(key)
	issuer.SignWith(key)
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil { // which has keys stored
		say("failed", err)
	}
	say("ready", "")
	for i := 0; ; i++ {
		subject := fmt.Sprintf("%s-%d-%d", n, os.Getpid(), i)
		for _, err := range []error{w.rotate(), w.issue(), w.revoke(subject), w.remove()} {
			if err != nil {
				say("failed", strings.ReplaceAll(err.Error(), "\n", " "))
			}
		}
	}
}

func (w *worker) rotate() error {
	err := w.local.Rotate(w.t.Context())
	if err == nil {
		say("rotated", w.key("active"))
	}
	return err
}

// key returns the first key of a state, after the first few.
func (w *worker) key(state string) string {
	for _, k := range w.local.Keys() {
		if k.State == state {
			return k.ID
		}
	}
	return ""
}

func (w *worker) issue() error {
	token, _, err := w.local.Issue(w.t.Context(), localissuer.Request{Subject: "innocent"})
	if err == nil {
		say("issued", token)
	}
	return err
}

func (w *worker) revoke(subject string) error {
	err := w.auth.Revoke(w.t.Context(), oidcauth.Revocation{Issuer: "local", Subject: subject})
	if errors.Is(err, oidcauth.ErrRevocationWaits) {
		err = nil
	}
	if err == nil {
		say("revoked", subject)
	}
	return err
}

// remove removes the oldest key once there are some. Another process may be faster.
func (w *worker) remove() error {
	id := w.key("retired")
	if id == "" || len(w.local.Keys()) < 6 {
		return nil
	}
	say("removing", id)
	err := w.local.Remove(w.t.Context(), id)
	if err == nil {
		say("removed", id)
	} else if strings.Contains(err.Error(), "no key has the ID") {
		err = nil
	}
	return err
}

// A witness knows what processes said before they were killed.
type witness struct {
	t        *testing.T
	place    place
	random   *rand.Rand
	removing map[string]bool            // keys; also in vain
	removed  map[string]bool            // for sure
	trusted  []string                   // keys that signed
	issued   []string                   // tokens of the last round
	waits    map[string]map[string]bool // by directory: of each subject, whether it is revoked and not in the log
	said     map[string]int             // how often
}

// hear takes in what a process says until a line of that kind, or until its end.
func (w *witness) hear(r *bufio.Reader, until string) {
	w.t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if until != "" {
				w.t.Fatalf("a process ended by itself: %v", err)
			}
			return // and what was cut off was not said
		}
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(fields) < 4 || fields[0] != "disk:" {
			continue
		}
		if w.note(fields[1], fields[2], fields[3]); fields[2] == until {
			return
		}
	}
}

func (w *witness) note(n, what, of string) {
	w.t.Helper()
	w.said[what]++
	switch what {
	case "rotated":
		w.trusted = append(w.trusted, of)
	case "issued":
		w.issued = append(w.issued, of)
	case "removing":
		w.removing[of] = true
	case "removed":
		w.removed[of] = true
	case "revoked":
		if _, shared := w.waits[n][of]; !shared {
			w.waits[n][of] = true
		}
	case "shared":
		w.waits[n][of] = false
	case "failed":
		w.t.Errorf("process %s: %s", n, of)
	}
}

// round has two processes work and kills both, at any instant.
func (w *witness) round() {
	w.t.Helper()
	w.issued = nil
	var said [2]*bufio.Reader
	var cmds [2]*exec.Cmd
	for i := range cmds {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
		cmd.Env = append(os.Environ(), childVariable+"="+string(w.place), fmt.Sprintf("%s=%d", numberVariable, i))
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		cmds[i], said[i] = cmd, bufio.NewReader(stdout)
	}
	if w.random.IntN(4) == 0 {
		time.Sleep(time.Duration(w.random.IntN(200)) * time.Millisecond) // while they start
	} else {
		w.hear(said[0], "ready")
		w.hear(said[1], "ready")
		if _, err := revocationsAt(w.place.waiting("0")); err == nil || !strings.Contains(err.Error(), "in use") {
			w.t.Errorf("New() error = %v while another process has the directory, want that it is in use", err)
		}
		time.Sleep(time.Duration(w.random.IntN(60_000)) * time.Microsecond)
	}
	for i, cmd := range cmds {
		cmd.Process.Kill()
		w.hear(said[i], "")
		cmd.Wait()
	}
}

// revocationsAt starts a server that has nothing on disk but revocations.
func revocationsAt(dir string) (*oidcauth.Authenticator, error) {
	log := memorylog.New[oidcauth.Revocation]()
	log.RefuseAll()
	return oidcauth.New(oidcauth.Config{
		Issuers:     []oidcauth.Issuer{{URL: "https://issuer.example", Audiences: []string{authtest.Audience}}},
		Revocations: log, RevocationDir: dir,
	})
}

// check expects that servers that start now have all that was said to be done.
func (w *witness) check() {
	w.t.Helper()
	_, trusted := authtest.NewIssuer(w.t, oidctest.Config{})
	for n, waits := range w.waits {
		var lines authtest.Log
		log := memorylog.New[oidcauth.Revocation]()
		log.RefuseAll()
		l, a, err := w.place.open(w.t, n, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Revocations: log, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
		})
		if err != nil {
			w.t.Fatalf("after a kill: New() error = %v", err)
		}
		w.checkKeys(l, a)
		for subject, waits := range waits {
			token := authtest.Issue(w.t, l, localissuer.Request{Subject: subject})
			if _, err := a.Authenticate(w.t.Context(), token); waits && !errors.Is(err, oidcauth.ErrRevoked) {
				w.t.Errorf("%s was revoked and is not: error = %v", subject, err)
			}
		}
		a.Close()
		l.Close()
		if strings.Contains(lines.String(), "key file") {
			w.t.Errorf("a file of the key cache is not whole:\n%s", &lines)
		}
	}
	for _, dir := range []string{w.place.keys(), w.place.waiting("0"), w.place.waiting("1"), w.place.cache()} {
		for _, name := range disktest.Left(dir) {
			if strings.Contains(name, "tmp-") || strings.Contains(name, "temporary-") {
				w.t.Errorf("left behind: %s", filepath.Join(dir, name))
			}
		}
	}
}

// checkKeys expects the keys that signed, and none that was removed.
func (w *witness) checkKeys(l *localissuer.Issuer, a *oidcauth.Authenticator) {
	w.t.Helper()
	if err := l.Rotate(w.t.Context()); err != nil { // which clears away what was left
		w.t.Errorf("after a kill: Rotate() error = %v", err)
	}
	there := map[string]bool{}
	for _, k := range l.Keys() {
		if there[k.ID] = true; w.removed[k.ID] {
			w.t.Errorf("key %s was removed and is there", k.ID)
		}
	}
	for _, id := range w.trusted {
		if !there[id] && !w.removing[id] {
			w.t.Errorf("key %s signed and is lost", id)
		}
	}
	for _, token := range w.issued {
		if _, err := a.Authenticate(w.t.Context(), token); err != nil && !errors.Is(err, oidcauth.ErrUnknownKey) {
			w.t.Errorf("a token that was handed out: error = %v", err)
		}
	}
}

// Of two processes that are killed at any instant, again and again, nothing is lost that
// they said was done: no key, no removal, no revocation. Whoever comes next starts
// without help, finds no half of a file, and clears away what was left.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		work(t, place(dir), os.Getenv(numberVariable))
		return
	}
	t.Parallel()
	random, said := rand.New(rand.NewPCG(*seed, 0)), map[string]int{}
	var w *witness
	for n := range *rounds {
		if n%10 == 0 { // or there is ever more to look at
			w = &witness{
				t: t, place: place(disktest.TempDir(t)), random: random,
				removing: map[string]bool{}, removed: map[string]bool{},
				waits: map[string]map[string]bool{"0": {}, "1": {}}, said: said,
			}
		}
		w.round()
		w.check()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills; said before: %v", 2**rounds, said)
}
