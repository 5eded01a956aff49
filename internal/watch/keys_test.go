package watch_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth/authtrace"
)

// Of the keys that an issuer has from several places hooks are told the worst state, when that
// is another, with the failure behind it.
func TestKeys_Worst(t *testing.T) {
	t.Parallel()
	var got []string
	w, _ := newWatch(authtrace.Hooks{KeysState: func(s authtrace.KeyState) {
		got = append(got, fmt.Sprint(s.Issuer, " ", s.From, " ", s.To, " ", s.Err))
	}})
	w.Names(nil, []string{"https://a.test"})
	a, b, other := w.Keys("https://a.test"), w.Keys("https://a.test"), w.Keys("")
	a.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	b.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	other.Entered(authtrace.KeyState{Issuer: "https://a.test", From: authtrace.None, To: authtrace.Fresh}) // which was found before
	b.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.Stale, Err: errors.New("b")})
	a.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.Gone, Err: errors.New("a")})
	a.Entered(authtrace.KeyState{From: authtrace.Gone, To: authtrace.Fresh}) // and b is stale, for its own reason
	b.Leave()
	b.Entered(authtrace.KeyState{From: authtrace.Stale, To: authtrace.Gone}) // too late
	a.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.None})
	a.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	other.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.Stale})
	other.Leave()
	a.Leave()
	a.Leave()
	w.Close()
	want := []string{
		"https://a.test none fresh <nil>",
		" none fresh <nil>",
		"https://a.test fresh stale b",
		"https://a.test stale gone a",
		"https://a.test gone stale b",
		"https://a.test stale fresh <nil>",
		"https://a.test fresh none <nil>",
		"https://a.test none fresh <nil>",
		" fresh stale <nil>",
		"https://a.test fresh none <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
	if n := w.IssuersWithKeys(); n != 0 {
		t.Errorf("%d issuers are remembered whose keys are all let go of", n)
	}
}

// Keys that are known from the start are told of only when that changes, and are there
// when others leave.
func TestKeys_Known(t *testing.T) {
	t.Parallel()
	var got []string
	w, _ := newWatch(authtrace.Hooks{KeysState: func(s authtrace.KeyState) { got = append(got, fmt.Sprint(s.From, " ", s.To)) }})
	w.Names(nil, []string{"https://a.test", "https://b.test"})
	known, fetched, never, found := w.Keys("https://a.test"), w.Keys("https://a.test"), w.Keys("https://a.test"), w.Keys("")
	known.Known()
	found.Known()
	never.Leave()
	known.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.Gone})
	known.Entered(authtrace.KeyState{From: authtrace.Gone, To: authtrace.Fresh})
	fetched.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	fetched.Entered(authtrace.KeyState{From: authtrace.Fresh, To: authtrace.None})
	fetched.Leave()
	known.Leave()
	found.Leave()
	still, first, second := w.Keys("https://b.test"), w.Keys("https://b.test"), w.Keys("https://b.test")
	still.Known()
	first.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	first.Leave() // and the others are fresh still
	second.Entered(authtrace.KeyState{From: authtrace.None, To: authtrace.Fresh})
	second.Leave()
	still.Leave()
	w.Close()
	if want := []string{"fresh gone", "gone fresh", "fresh none", "none fresh", "fresh none"}; !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
	if n := w.IssuersWithKeys(); n != 0 {
		t.Errorf("%d issuers are remembered whose keys are all let go of", n)
	}
}

// Keys that nobody asked about are of no interest.
func TestKeys_Nobody(t *testing.T) {
	t.Parallel()
	w, _ := newWatch(authtrace.Hooks{Revoked: func(authtrace.Revocation) {}})
	k := w.Keys("https://a.test")
	k.Known()
	k.Entered(authtrace.KeyState{To: authtrace.Gone})
	k.Leave()
	if k != nil {
		t.Error("somebody is interested in them")
	}
}
