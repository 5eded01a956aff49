package keyring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A history is a ring and what it was before.
type history struct {
	t   *testing.T
	now time.Time
	keyring.Ring
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	r, err := keyring.New(h.now)
	must(t, err)
	r.Longest = time.Hour
	h.Ring = r
	return h
}

// copy returns a branch: a copy that somebody puts back and goes on with.
func (h *history) copy() *history { branch := *h; return &branch }

func (h *history) rotate(times int) *history {
	h.t.Helper()
	for range times {
		h.now = h.now.Add(time.Minute)
		h.set(h.Rotate(h.now))
	}
	return h
}

func (h *history) remove(id string) *history {
	h.t.Helper()
	h.set(h.Remove(id))
	return h
}

func (h *history) add() (id string) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(h.t, err)
	r, id, err := h.Import(&key.PublicKey, h.now)
	h.set(r, err)
	return id
}

func (h *history) set(r keyring.Ring, err error) {
	h.t.Helper()
	must(h.t, err)
	r.Generation++
	h.Ring = r
}

// states lists the keys with their states.
func states(r keyring.Ring) map[string]keyring.State {
	all := map[string]keyring.State{}
	for _, k := range r.Keys {
		all[k.ID] = k.State
	}
	return all
}

func TestFollows(t *testing.T) {
	t.Parallel()
	old := newHistory(t).rotate(1)
	first := old.Keys[0].ID
	removed := old.copy().remove(first)
	later := removed.copy().rotate(3)
	stranger := newHistory(t)
	branch := old.copy()
	for range 6 {
		branch.add() // more changes than the other, and none of its own
	}
	for _, tt := range []struct {
		name       string
		r, earlier keyring.Ring
		want       bool
	}{
		{"itself", old.Ring, old.Ring, true},
		{"after a removal", removed.Ring, old.Ring, true},
		{"after much more", later.Ring, old.Ring, true},
		{"an older copy", old.Ring, removed.Ring, false},
		{"a much older copy", old.Ring, later.Ring, false},
		{"an older copy with changes since", branch.Ring, removed.Ring, false},
		{"another ring", stranger.Ring, old.Ring, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.r.Follows(tt.earlier); got != tt.want {
				t.Errorf("Follows() = %t, want %t", got, tt.want)
			}
		})
	}
}

// A list of former keys that is full, of which the oldest are dropped, hides no
// removal.
func TestFollows_ManyGone(t *testing.T) {
	t.Parallel()
	old := newHistory(t).rotate(1)
	for i := range 10_000 {
		old.Gone = append(old.Gone, fmt.Sprint("former-", i))
	}
	removed := old.copy().remove(old.Keys[0].ID)
	if !removed.Follows(old.Ring) || len(removed.Gone) != 10_000 {
		t.Errorf("after a removal of %d: Follows() = false", len(removed.Gone))
	}
	back := old.copy()
	back.Generation = removed.Generation + 1
	if back.Follows(removed.Ring) {
		t.Error("with the removed key: Follows() = true")
	}
	merged, changed, err := back.Merge(removed.Ring, old.now)
	if err != nil || !changed {
		t.Fatalf("Merge() error = %v, changed %t", err, changed)
	}
	if _, found := states(merged)[old.Keys[0].ID]; found {
		t.Error("the removed key is back")
	}
	if _, changed, err := merged.Merge(removed.Ring, old.now); err != nil || changed {
		t.Errorf("Merge() again: error = %v, changed %t", err, changed)
	}
}

// An older copy of the ring that was put back brings no removed key back, and
// takes none away, whatever has become of the copy since.
func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		before int              // rotations before the copy is made
		known  func(h *history) // what the process knows beyond the copy
		since  func(h *history) // what was made of the copy
	}{
		{"nothing since", 1, func(h *history) { h.rotate(2) }, func(*history) {}},
		{"the copy's signing key was removed", 0, func(h *history) { id := h.Active().ID; h.rotate(1).remove(id) }, func(*history) {}},
		{"both keys of the copy were removed", 0, func(h *history) {
			a, b := h.Keys[0].ID, h.Keys[1].ID
			h.rotate(2).remove(a).remove(b)
		}, func(*history) {}},
		{"keys have served their time", 0, func(h *history) { h.rotate(1); h.now = h.now.Add(24 * time.Hour); h.rotate(2) }, func(*history) {}},
		{"rotated since", 1, func(h *history) { h.rotate(3) }, func(h *history) { h.now = h.now.Add(time.Hour); h.rotate(2) }},
		{"removed since", 2, func(h *history) { h.rotate(1) }, func(h *history) { h.remove(h.Keys[0].ID) }},
		{"imported since, and before", 1, func(h *history) { h.add(); h.remove(h.add()) }, func(h *history) { h.add() }},
		{"a retired key was imported", 1, func(h *history) {
			r, _, err := h.Import(h.Keys[0].Public, h.now)
			h.set(r, err)
		}, func(h *history) { h.rotate(3) }},
		{"many changes since", 1, func(h *history) { h.remove(h.Keys[0].ID) }, func(h *history) { h.rotate(20) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known := newHistory(t).rotate(tt.before)
			disk := known.copy()
			tt.known(known)
			tt.since(disk)
			now := known.now.Add(2 * time.Hour)
			merged, changed, err := disk.Merge(known.Ring, now)
			if err != nil || !changed {
				t.Fatalf("Merge() error = %v, changed %t, want a change", err, changed)
			}
			checkMerged(t, merged, known.Ring, disk.Ring)
			if again, changed, err := merged.Merge(known.Ring, now); err != nil || changed {
				t.Errorf("Merge() again: error = %v, changed %t: %v", err, changed, states(again))
			}
		})
	}
}

// checkMerged checks what must hold of a merged ring, whatever it came from.
func checkMerged(t *testing.T, merged, known, disk keyring.Ring) {
	t.Helper()
	got := states(merged)
	gone := map[string]bool{}
	for _, id := range append(append([]string{}, known.Gone...), disk.Gone...) {
		gone[id] = true
		if _, back := got[id]; back {
			t.Errorf("key %q is back", id)
		}
	}
	for _, r := range []keyring.Ring{known, disk} {
		if !merged.Follows(r) {
			t.Errorf("does not follow %v", states(r))
		}
		for id, state := range states(r) {
			if gone[id] {
				continue
			}
			if now, found := got[id]; !found || state == keyring.Retired && now != state {
				t.Errorf("key %q, %s before, is %q", id, state, now)
			}
		}
	}
	counts := map[keyring.State]int{}
	for _, state := range got {
		counts[state]++
	}
	if counts[keyring.Active] != 1 || counts[keyring.Next] != 1 {
		t.Errorf("%d keys sign and %d will, want one of each", counts[keyring.Active], counts[keyring.Next])
	}
}

func TestMerge_AnotherRing(t *testing.T) {
	t.Parallel()
	if _, _, err := newHistory(t).Merge(newHistory(t).Ring, time.Now()); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Merge() error = %v, want %v", err, keyring.ErrRing)
	}
}

// A ring of version 1 has no ID, and is known by its keys.
func TestMerge_FormerVersion(t *testing.T) {
	t.Parallel()
	now := newHistory(t).rotate(2)
	former := now.copy()
	former.ID = ""
	now.remove(now.Keys[0].ID)
	merged, changed, err := former.Merge(now.Ring, now.now)
	if err != nil || !changed || merged.ID != now.ID {
		t.Fatalf("Merge() error = %v, changed %t, ID %q, want %q", err, changed, merged.ID, now.ID)
	}
	checkMerged(t, merged, now.Ring, former.Ring)
	other := newHistory(t)
	other.ID = ""
	if _, _, err := other.Merge(now.Ring, now.now); !errors.Is(err, keyring.ErrRing) {
		t.Errorf("Merge() of another ring: error = %v, want %v", err, keyring.ErrRing)
	}
	// Who knows version 1 alone takes whatever its ring has become.
	if !now.Follows(former.Ring) {
		t.Error("Follows(version 1) = false")
	}
}

// A key that is gone stays gone: it cannot be imported again.
func TestImport_Gone(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	r, id, err := h.Import(&key.PublicKey, h.now)
	h.set(r, err)
	h.remove(id)
	if _, _, err := h.Import(&key.PublicKey, h.now); !errors.Is(err, keyring.ErrRing) || !strings.Contains(fmt.Sprint(err), id) {
		t.Errorf("Import() error = %v, want %v, naming %q", err, keyring.ErrRing, id)
	}
}

// Tickets are signed by the ring's own keys while they sign, and shortly after.
func TestSignsTickets(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	imported := h.add()
	former := h.Active().ID
	h.rotate(1)
	for _, tt := range []struct {
		name string
		id   string
		at   time.Duration
		want bool
	}{
		{"the key that signs", h.Active().ID, 0, true},
		{"the next", h.Keys[len(h.Keys)-1].ID, 0, true},
		{"an imported key", imported, 0, false},
		{"just retired", former, 0, true},
		{"retired for almost two minutes", former, 2*time.Minute - 1, true},
		{"retired for two minutes", former, 2 * time.Minute, false},
		{"retired by a clock somewhat ahead", former, 1 - time.Minute, true},
		{"retired by a clock far ahead", former, -time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, k := range h.Keys {
				if k.ID == tt.id && k.SignsTickets(h.now.Add(tt.at)) != tt.want {
					t.Errorf("SignsTickets() = %t, want %t", !tt.want, tt.want)
				}
			}
		})
	}
}

// The secret of a key's tickets outlives the private half for as long as the
// tickets are good, and is written down that long.
func TestTicketSecret(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keys"
	dir := open(t, path)
	update := func(change func(r keyring.Ring) (keyring.Ring, error)) keyring.Key {
		t.Helper()
		_, err := dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
			r, err := change(r)
			return r, true, err
		})
		must(t, err)
		return load(t, path).Keys[0]
	}
	secret := func(k keyring.Key) string {
		t.Helper()
		s, err := k.TicketSecret()
		must(t, err)
		return string(s)
	}
	first := load(t, path).Keys[0]
	before := secret(first)
	now := time.Now()
	k := update(func(r keyring.Ring) (keyring.Ring, error) { return r.Rotate(now) })
	if k.ID != first.ID || k.Private != nil || len(before) != 32 || secret(k) != before {
		t.Errorf("after a rotation the secret is %d bytes, want the %d of before", len(secret(k)), len(before))
	}
	k = update(func(r keyring.Ring) (keyring.Ring, error) { return r.Rotate(now.Add(3 * time.Minute)) })
	if k.ID != first.ID || secret(k) != "" {
		t.Errorf("after another rotation the secret is still there")
	}
}

// A key that is retired in one copy and signs in the other is kept for what it has signed
// until the two were brought together, whatever was known of that where it was retired.
func TestMerge_Kept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		signs func(h *history) // what became of the copy in which it signs
		want  time.Duration    // since the merge; zero is for ever
	}{
		{"it signed for long", func(*history) {}, time.Hour},
		{"it signed tokens that live longer", func(h *history) { h.Longest = 60 * time.Hour }, 60 * time.Hour},
		{"it signed tokens that never expire", func(h *history) { h.NoExpiry = true }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signs := newHistory(t)
			retired := signs.copy().rotate(1)
			tt.signs(signs)
			signs.add() // so that neither follows the other
			now := retired.now.Add(40 * time.Hour)
			for _, two := range [][2]*history{{retired, signs}, {signs, retired}} {
				merged, _, err := two[0].Merge(two[1].Ring, now)
				must(t, err)
				i := slices.IndexFunc(merged.Keys, func(k keyring.Key) bool { return k.ID == signs.Active().ID })
				if i < 0 || merged.Keys[i].State != keyring.Retired {
					t.Fatalf("the keys are %v, want %q among those retired", states(merged), signs.Active().ID)
				}
				until := merged.Keys[i].KeepUntil
				if tt.want == 0 && !until.IsZero() || tt.want > 0 && !until.After(now.Add(tt.want)) {
					t.Errorf("signed with until %v, kept until %v, want %v and more after that", now, until, tt.want)
				}
			}
		})
	}
}
