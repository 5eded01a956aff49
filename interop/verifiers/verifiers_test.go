package verifiers_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

func TestMain(m *testing.M) { os.Exit(programs.Main(m, programs.Verifiers)) }

// A judge puts tokens before a description and the verifier that goes with it.
type judge struct {
	verifier
	w      *world
	d      *driver
	auth   *oidcauth.Authenticator
	judged int
}

// both wants the same verdict of both.
func (j *judge) both(t *testing.T, what, token string, accept bool) {
	t.Helper()
	j.judged++
	_, err := j.auth.Authenticate(t.Context(), token)
	refusal := j.d.ask(t, j.verifier, token)
	if accept && (err != nil || refusal != "") {
		t.Errorf("%s: Authenticate() error = %v, the verifier's %q, want none", what, err, refusal)
	}
	if !accept && (!refused(err) || refusal == "") {
		t.Errorf("%s: Authenticate() error = %v, the verifier's %q, want two refusals", what, err, refusal)
	}
}

// refused reports whether a token was found wanting, and not the keys.
func refused(err error) bool {
	return err != nil && !errors.Is(err, oidcauth.ErrKeysUnavailable) && !errors.Is(err, oidcauth.ErrClosed)
}

// Where a description and the provider's own verifier do not agree, a difference says
// why.
func TestVerifiers(t *testing.T) {
	w := newWorld(t)
	d := w.drive(t)
	total := 0
	for _, v := range verifiers {
		t.Run(v.preset, func(t *testing.T) {
			j := &judge{v, w, d, w.authenticator(t, v.issuer), 0}
			for _, s := range samples(t, v.samples) {
				s = s.changed(nil, v.base)
				switch {
				case slices.Contains(v.accepts, s.Name):
					j.good(t, s)
				case slices.Contains(v.refuses, s.Name):
					j.both(t, s.Name, w.sign(s), false)
				}
			}
			j.differ(t)
			total += j.judged
		})
	}
	t.Logf("%d tokens judged by both", total)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.missed) > 0 {
		t.Errorf("asked for and not there: %q", w.missed)
	}
}

// good puts a sample that both accept before them, and what becomes of it.
func (j *judge) good(t *testing.T, s sample) {
	t.Helper()
	for _, c := range harmless() {
		j.both(t, s.Name+", "+c.name, c.make(j.w, s), true)
	}
	named := changes()
	bad := harmful()
	for _, name := range j.also {
		bad = append(bad, named[name])
	}
	for _, c := range bad {
		j.both(t, s.Name+", "+c.name, c.make(j.w, s), false)
	}
	for _, f := range j.w.forged(s) {
		j.both(t, s.Name+", "+f.Name, f.Token, false)
	}
}

// differ wants each difference to be one still.
func (j *judge) differ(t *testing.T) {
	t.Helper()
	named := changes()
	for _, diff := range differences {
		if diff.verifier != j.name || !slices.Contains(diff.presets, j.preset) {
			continue
		}
		for _, s := range samples(t, j.samples) {
			if !slices.Contains(j.accepts, s.Name) {
				continue
			}
			j.judged++
			token := named[diff.change].make(j.w, s.changed(nil, j.base))
			_, err := j.auth.Authenticate(t.Context(), token)
			if refusal := j.d.ask(t, j.verifier, token); err != nil || refusal == "" {
				t.Errorf("%s, %s: Authenticate() error = %v, the verifier's %q, want a refusal of the verifier's alone: mend the table", s.Name, diff.change, err, refusal)
			}
		}
	}
}

// Each sample is put before both, or README.md tells of it in words.
func TestTable(t *testing.T) {
	t.Parallel()
	named := changes()
	for _, v := range verifiers {
		inWords := []string{}
		for _, s := range samples(t, v.samples) {
			if !slices.Contains(slices.Concat(v.accepts, v.refuses), s.Name) {
				inWords = append(inWords, s.Name)
			}
		}
		if want := accepted[v.preset]; !slices.Equal(inWords, want) {
			t.Errorf("%s: not put before both: %q, want %q", v.preset, inWords, want)
		}
		for _, name := range v.also {
			if named[name].make == nil {
				t.Errorf("%s: no change %q", v.preset, name)
			}
		}
	}
	for _, diff := range differences {
		if named[diff.change].make == nil {
			t.Errorf("%s: no change %q", diff.verifier, diff.change)
		}
		for _, preset := range diff.presets {
			if !slices.ContainsFunc(verifiers, func(v verifier) bool { return v.name == diff.verifier && v.preset == preset }) {
				t.Errorf("%s: not a verifier of %s", diff.verifier, preset)
			}
		}
	}
}

// accepted are the samples about which README.md says in words how the two differ.
var accepted = map[string][]string{
	"AzureB2C":         {"ID token"},
	"EntraSingleV2":    {"ID token"},
	"WorkOS":           {"access token of an impersonator"},
	"CloudflareAccess": {"organization's token"},
}
