package keyring_test

import (
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// Each thing that changes alone can bring about, and each that they cannot.
func TestFollows_EachMember(t *testing.T) {
	t.Parallel()
	keys := func(next, active, former, imported keyring.State) []keyring.Key {
		return []keyring.Key{
			{ID: "imported", State: imported, Imported: true}, {ID: "former", State: former},
			{ID: "active", State: active}, {ID: "next", State: next},
		}
	}
	earlier := keyring.Ring{
		ID: "ring", Generation: 5, Longest: time.Hour, NoExpiry: true, Gone: []string{"x", "y"},
		Keys: keys(keyring.Next, keyring.Active, keyring.Retired, keyring.Retired),
	}
	without := func(ids ...string) func(*keyring.Ring) {
		return func(r *keyring.Ring) {
			r.Keys = slices.DeleteFunc(r.Keys, func(k keyring.Key) bool { return slices.Contains(ids, k.ID) })
		}
	}
	for _, tt := range []struct {
		name   string
		change func(r *keyring.Ring)
		want   bool
	}{
		{"nothing", func(*keyring.Ring) {}, true},
		{"another ring's ID", func(r *keyring.Ring) { r.ID = "other" }, false},
		{"no ID", func(r *keyring.Ring) { r.ID = "" }, false},
		{"a later generation", func(r *keyring.Ring) { r.Generation++ }, true},
		{"an earlier generation", func(r *keyring.Ring) { r.Generation-- }, false},
		{"longer lives", func(r *keyring.Ring) { r.Longest++ }, true},
		{"shorter lives", func(r *keyring.Ring) { r.Longest-- }, false},
		{"tokens that never expire, forgotten", func(r *keyring.Ring) { r.NoExpiry = false }, false},
		{"one more is gone", func(r *keyring.Ring) { r.Gone = append(r.Gone, "z") }, true},
		{"one less is gone", func(r *keyring.Ring) { r.Gone = r.Gone[:1] }, false},
		{"one that is gone is back", func(r *keyring.Ring) { r.Keys = append(r.Keys, keyring.Key{ID: "x", State: keyring.Retired}) }, false},
		{"a key is gone", func(r *keyring.Ring) { without("former")(r); r.Gone = append(r.Gone, "former") }, true},
		{"a key is missing", without("former"), false},
		{"a key more", func(r *keyring.Ring) { r.Keys = append(r.Keys, keyring.Key{ID: "new", State: keyring.Next}) }, true},
		{"keys have moved on", func(r *keyring.Ring) {
			r.Keys = keys(keyring.Active, keyring.Retired, keyring.Retired, keyring.Retired)
		}, true},
		{"a key that signed is next", func(r *keyring.Ring) {
			r.Keys = keys(keyring.Next, keyring.Next, keyring.Retired, keyring.Retired)
		}, false},
		{"a key that was retired signs", func(r *keyring.Ring) {
			r.Keys = keys(keyring.Next, keyring.Active, keyring.Active, keyring.Retired)
		}, false},
		{"a key was imported", func(r *keyring.Ring) { r.Keys[1].Imported = true }, true},
		{"an imported key is not", func(r *keyring.Ring) { r.Keys[0].Imported = false }, false},
	} {
		r := earlier
		r.Keys, r.Gone = slices.Clone(earlier.Keys), slices.Clone(earlier.Gone)
		tt.change(&r)
		if got := r.Follows(earlier); got != tt.want {
			t.Errorf("%s: Follows() = %t, want %t", tt.name, got, tt.want)
		}
	}
	forever := earlier
	forever.NoExpiry = false
	if !earlier.Follows(forever) {
		t.Error("tokens that never expire are news: Follows() = false, want true")
	}
}

// What two copies say of the ring itself is kept of both.
func TestMerge_Members(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	a, b := h.copy(), h.copy()
	a.Issuer, a.Generation, a.Longest = "issuer", 7, time.Minute
	b.Generation, b.Longest, b.NoExpiry = 3, time.Hour, true
	for _, two := range [][2]*history{{a, b}, {b, a}} {
		merged, changed, err := two[0].Merge(two[1].Ring, h.now)
		must(t, err)
		if !changed || merged.ID != h.ID || merged.Issuer != "issuer" || merged.Generation != 7 || merged.Longest != time.Hour || !merged.NoExpiry {
			t.Errorf("Merge() = %+v, changed %t, want the issuer, generation 7, an hour and no expiry", merged, changed)
		}
		// Who signs and who will are the same in both, and stay.
		if merged.Active().ID != h.Keys[0].ID || len(merged.Keys) != 2 || merged.Keys[1].ID != h.Keys[1].ID || merged.Keys[1].State != keyring.Next {
			t.Errorf("the keys are %v, want %v", states(merged), states(h.Ring))
		}
	}
}

// A key that both copies have retired was retired when the first of them says, opens
// tickets as that says, and is kept for as long as the other wants.
func TestMerge_RetiredTwice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		later func(h *history) // what the copy knew that has retired it later
		kept  func(later time.Time) time.Time
	}{
		{"for longer", func(*history) {}, func(later time.Time) time.Time { return later.Add(time.Hour + 24*time.Hour + 10*time.Minute) }},
		{"for much longer", func(h *history) { h.Longest = 60 * time.Hour }, func(later time.Time) time.Time { return later.Add(60*time.Hour + 24*time.Hour + 10*time.Minute) }},
		{"for ever", func(h *history) { h.NoExpiry = true }, func(time.Time) time.Time { return time.Time{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory(t)
			secret, err := h.Keys[0].TicketSecret()
			must(t, err)
			first, second := h.copy().rotate(1), h.copy()
			tt.later(second)
			second.now = second.now.Add(time.Hour)
			second.rotate(1)
			second.Ring = second.Current(second.now.Add(time.Hour)) // its tickets are no good there any more
			second.add()                                            // so that neither follows the other
			for _, two := range [][2]*history{{first, second}, {second, first}} {
				merged, _, err := two[0].Merge(two[1].Ring, second.now.Add(10*time.Hour))
				must(t, err)
				i := slices.IndexFunc(merged.Keys, func(k keyring.Key) bool { return k.ID == h.Keys[0].ID })
				got := merged.Keys[i]
				if want := tt.kept(second.now); got.State != keyring.Retired || !got.Retired.Equal(first.now) || !got.KeepUntil.Equal(want) {
					t.Errorf("the key is %s since %v, kept until %v, want retired since %v, until %v", got.State, got.Retired, got.KeepUntil, first.now, want)
				}
				if opens, err := got.TicketSecret(); err != nil || !slices.Equal(opens, secret) {
					t.Errorf("the secret of its tickets is %d bytes, error %v, want that of before", len(opens), err)
				}
			}
		})
	}
}

// A key at the head of the list is kept like any other for what it has signed.
func TestMerge_KeptFirst(t *testing.T) {
	t.Parallel()
	signs := newHistory(t)
	retired := signs.copy().rotate(1)
	now := retired.now.Add(40 * time.Hour)
	merged, changed, err := signs.Merge(retired.Ring, now)
	must(t, err)
	if k := merged.Keys[0]; !changed || k.ID != signs.Active().ID || k.State != keyring.Retired || !k.KeepUntil.Equal(now.Add(time.Hour+24*time.Hour+10*time.Minute)) {
		t.Errorf("changed %t, the first key is %s and kept until %v, want it retired, and kept a day and more from %v on", changed, k.State, k.KeepUntil, now)
	}
	// Those that sign and will sign are kept until they have.
	for _, k := range merged.Keys[1:] {
		if !k.KeepUntil.IsZero() {
			t.Errorf("a key that is %s is kept until %v, want no end", k.State, k.KeepUntil)
		}
	}
}

// Whoever has just signed with a key, or may have seen it sign, keeps it for that, though
// it was retired long ago by another clock; and once they know, no more.
func TestMerge_EndsEarly(t *testing.T) {
	t.Parallel()
	knows := newHistory(t)
	for state, change := range map[keyring.State]func(h *history, past *history){
		keyring.Active: func(h, past *history) { h.set(h.Rotate(past.now)) },
		keyring.Next:   func(h, past *history) { h.set(h.Rotate(h.now)); h.set(h.Rotate(past.now)) },
	} {
		i := slices.IndexFunc(knows.Keys, func(k keyring.Key) bool { return k.State == state })
		for _, tt := range []struct {
			late time.Duration
			want bool
		}{{24 * time.Hour, false}, {24*time.Hour + time.Second, true}, {1000 * time.Hour, true}} {
			now, disk := knows.now.Add(time.Hour), knows.copy()
			change(disk, &history{now: now.Add(-tt.late)})
			until := now.Add(time.Hour + 24*time.Hour + 10*time.Minute)
			merged, changed, err := disk.Merge(knows.Ring, now)
			must(t, err)
			kept := slices.ContainsFunc(merged.Keys, func(k keyring.Key) bool {
				return k.ID == knows.Keys[i].ID && k.State == keyring.Retired && k.KeepUntil.Equal(until)
			})
			if changed != tt.want || kept != tt.want {
				t.Errorf("the %s key, retired %v ago: changed %t, kept from now on %t, want %t", state, tt.late, changed, kept, tt.want)
			}
			if _, changed, err := merged.Merge(merged, now); err != nil || changed {
				t.Errorf("the %s key: changed %t, error %v, by who knows", state, changed, err)
			}
		}
	}
	forever := knows.copy()
	forever.NoExpiry = true
	forever.set(forever.Rotate(time.Unix(0, 0)))
	if _, changed, err := forever.Merge(knows.Ring, knows.now); err != nil || changed {
		t.Errorf("Merge() of a key that is kept for ever: changed %t, error %v", changed, err)
	}
}

// Whoever knows that a retired key is kept for longer goes on knowing it until then.
func TestMerge_KeptForLess(t *testing.T) {
	t.Parallel()
	knows := newHistory(t).rotate(1)
	until := knows.Keys[0].KeepUntil
	for _, tt := range []struct {
		kept, after time.Duration // than known; and the moment
		want        bool
	}{
		{-time.Second, 0, true}, {0, 0, false}, {time.Second, 0, false},
		{-1000 * time.Hour, -time.Second, true}, {-1000 * time.Hour, time.Second, false},
	} {
		disk, now := knows.copy(), knows.now
		disk.Keys = slices.Clone(disk.Keys)
		disk.Keys[0].KeepUntil = until.Add(tt.kept)
		if tt.after != 0 {
			now = until.Add(tt.after)
		}
		merged, changed, err := disk.Merge(knows.Ring, now)
		must(t, err)
		if changed != tt.want || tt.want && !merged.Keys[0].KeepUntil.Equal(until) {
			t.Errorf("kept for %v more than known, at %v: changed %t, until %v, want %t and %v", tt.kept, now, changed, merged.Keys[0].KeepUntil, tt.want, until)
		}
	}
}

// Keys of elsewhere come first and then the ring's own, each by age.
func TestMerge_Order(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	a, b := h.copy().rotate(1), h.copy()
	b.now = b.now.Add(30 * time.Second)
	second := b.add()
	a.now = a.now.Add(time.Hour)
	third := a.add()
	b.now = b.now.Add(-time.Hour)
	first := b.add()
	for _, two := range [][2]*history{{a, b}, {b, a}} {
		merged, _, err := two[0].Merge(two[1].Ring, a.now)
		must(t, err)
		want := []string{first, second, third, a.Keys[1].ID, a.Keys[2].ID, a.Keys[3].ID}
		var got []string
		for _, k := range merged.Keys {
			got = append(got, k.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the keys are %q, want %q", got, want)
		}
	}
}

// Where no key is left that signs, the next one does, and a new one is next.
func TestMerge_NoneSigns(t *testing.T) {
	t.Parallel()
	before := newHistory(t)
	r := before.copy().rotate(1)
	retired, active, next := r.Keys[0], r.Keys[1], r.Keys[2]
	other := active
	other.State, other.Private, other.Retired = keyring.Retired, nil, r.now
	for _, tt := range []struct {
		name  string
		r     []keyring.Key
		gone  []string
		known []keyring.Key
		lost  []string
		want  int // keys
	}{
		{"each is retired in the other", r.Keys, nil, []keyring.Key{before.Keys[0], other, next}, nil, 4},
		{"each is gone in the other", []keyring.Key{active, next}, []string{retired.ID}, []keyring.Key{before.Keys[0], next}, []string{active.ID}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk, known := r.Ring, r.Ring
			disk.Keys, disk.Gone, known.Keys, known.Gone = tt.r, tt.gone, tt.known, tt.lost
			merged, changed, err := disk.Merge(known, r.now)
			must(t, err)
			if _, err := keyring.Encode(merged); err != nil {
				t.Errorf("the ring cannot be written: %v", err)
			}
			last := merged.Keys[len(merged.Keys)-1]
			if !changed || len(merged.Keys) != tt.want || merged.Active().ID != next.ID || last.State != keyring.Next || !last.Created.Equal(r.now) {
				t.Errorf("changed %t, the keys are %v, want %q to sign and a new one next", changed, states(merged), next.ID)
			}
			checkMerged(t, merged, known, disk)
		})
	}
}

// A key that one copy has retired and the other imported is imported, and as old as the
// directory says.
func TestMerge_ImportedOnce(t *testing.T) {
	t.Parallel()
	own := newHistory(t).rotate(1)
	id, public := own.Keys[0].ID, own.Keys[0].Public
	imported := own.copy()
	imported.now = imported.now.Add(time.Hour)
	r, _, err := imported.Import(public, imported.now)
	imported.set(r, err)
	own.Longest = 2 * time.Hour
	for _, two := range [][2]*history{{own, imported}, {imported, own}} {
		merged, _, err := two[0].Merge(two[1].Ring, own.now)
		must(t, err)
		made := two[0].Keys[0].Created
		if k := merged.Keys[0]; k.ID != id || !k.Imported || !k.Created.Equal(made) || !k.KeepUntil.IsZero() {
			t.Errorf("the first key is %+v, want %q as imported, of %v, kept for ever", k, id, made)
		}
	}
}
