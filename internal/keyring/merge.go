package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Follows reports whether r is what became of earlier by changes alone, none of
// which is missing. It is false of an older copy that somebody put back, also if
// there have been changes to that since.
func (r Ring) Follows(earlier Ring) bool {
	if earlier.ID == "" {
		// Version 1 did not note what was removed, so that nothing can be missed.
		return r.isSame(earlier)
	}
	if r.ID != earlier.ID || r.Generation < earlier.Generation ||
		r.Longest < earlier.Longest || earlier.NoExpiry && !r.NoExpiry {
		return false
	}
	before := setOf(earlier.Gone)
	if slices.ContainsFunc(r.Keys, func(k Key) bool { return before[k.ID] }) {
		return false
	}
	gone := setOf(r.Gone)
	for _, id := range earlier.Gone {
		if !gone[id] && len(r.Gone) < maxGone {
			return false
		}
	}
	keys := make(map[string]Key, len(r.Keys))
	for _, k := range r.Keys {
		keys[k.ID] = k
	}
	for _, k := range earlier.Keys {
		now, found := keys[k.ID]
		if !gone[k.ID] && (!found || now.State.rank() < k.State.rank() || k.Imported && !now.Imported) {
			return false
		}
	}
	return true
}

// isSame reports whether r and other are one ring at two times. A ring without
// ID is known by its keys.
func (r Ring) isSame(other Ring) bool {
	if r.ID != "" && other.ID != "" {
		return r.ID == other.ID
	}
	known := setOf(other.Gone)
	for _, k := range other.Keys {
		known[k.ID] = !k.Imported
	}
	return slices.ContainsFunc(r.Keys, func(k Key) bool { return !k.Imported && known[k.ID] })
}

// Merge returns what r, as a directory has it, and known, as a process knows it,
// say together, and whether that is more than r. A key that one of them has and
// the other does not is kept, one that either says is gone is gone, and what is
// retired in one of them is retired. A key that the process has signed with until now is
// kept for that, whatever the clock said of whoever retired it, and none for less than the
// process knows. It is an error if they are different rings.
func (r Ring) Merge(known Ring, now time.Time) (merged Ring, changed bool, err error) {
	if !r.isSame(known) {
		return Ring{}, false, fmt.Errorf("%w: the directory holds another ring than before: start anew to use it", ErrRing)
	}
	if r.Follows(known) && !r.endsEarly(known, now) {
		return r, false, nil
	}
	merged = Ring{
		ID:         cmp.Or(known.ID, r.ID),
		Issuer:     cmp.Or(r.Issuer, known.Issuer),
		Generation: max(r.Generation, known.Generation),
		Longest:    max(r.Longest, known.Longest),
		NoExpiry:   r.NoExpiry || known.NoExpiry,
	}
	gone := setOf(r.Gone)
	merged.Gone = withGone(r.Gone, slices.DeleteFunc(slices.Clone(known.Gone), func(id string) bool { return gone[id] })...)
	merged.Keys = joinKeys(r.Keys, known.Keys, setOf(merged.Gone))
	merged.keepSigners(now, r, known)
	if err := merged.chooseSigners(now); err != nil {
		return Ring{}, false, err
	}
	return merged, true, nil
}

// endsEarly reports whether r has retired a key and keeps it for less than known says, or,
// where known has it sign or be next, for less than what it may have signed until now is
// good: that was long ago by the clock of whoever did it, and nobody here has heard of it.
func (r Ring) endsEarly(known Ring, now time.Time) bool {
	return slices.ContainsFunc(known.Keys, func(before Key) bool {
		until := before.KeepUntil
		switch {
		case before.State != Retired:
			until = now.Add(r.Longest).Add(largestLeeway)
		case !until.IsZero() && now.After(until):
			return false // it has served its time
		}
		return slices.ContainsFunc(r.Keys, func(k Key) bool {
			return k.ID == before.ID && k.State == Retired && !longer(k.KeepUntil, until).Equal(k.KeepUntil)
		})
	})
}

func setOf(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// rank orders the states: a key only ever moves on.
func (s State) rank() int { return slices.Index([]State{Next, Active, Retired}, s) }

// joinKeys returns the keys of both lists that are not gone, in the order of a
// ring.
func joinKeys(a, b []Key, gone map[string]bool) []Key {
	var keys []Key
	for _, k := range slices.Concat(a, b) {
		if gone[k.ID] {
			continue
		}
		if i := slices.IndexFunc(keys, func(other Key) bool { return other.ID == k.ID }); i >= 0 {
			keys[i] = joinKey(keys[i], k)
		} else {
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b Key) int {
		if a.Imported != b.Imported {
			return cmp.Compare(importedFirst(a), importedFirst(b))
		}
		return a.Created.Compare(b.Created)
	})
	return keys
}

func importedFirst(k Key) int {
	if k.Imported {
		return 0
	}
	return 1
}

// joinKey returns a key as the one says that knows more of its life.
func joinKey(a, b Key) Key {
	if a.State.rank() < b.State.rank() {
		a, b = b, a
	}
	if a.State != Retired || b.State != Retired {
		return a
	}
	if b.Retired.Before(a.Retired) {
		a.Retired, a.secret = b.Retired, b.secret
	}
	a.KeepUntil = longer(a.KeepUntil, b.KeepUntil)
	if a.Imported = a.Imported || b.Imported; a.Imported {
		a.secret = nil // what is somebody else's to one of them seals no tickets
	}
	return a
}

// longer returns the later of two times until when a key is kept; zero is for ever.
func longer(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && !b.After(a) {
		return a
	}
	return b
}

// keepSigners keeps the keys that are retired in one of the rings that were merged as if
// they were retired now, where those who knew the other may have signed with them until now.
func (r *Ring) keepSigners(now time.Time, merged ...Ring) {
	for _, before := range merged {
		for _, k := range before.Keys {
			i := slices.IndexFunc(r.Keys, func(other Key) bool { return other.ID == k.ID })
			if i >= 0 && k.State != Retired && r.Keys[i].State == Retired {
				r.Keys[i].KeepUntil = longer(r.Keys[i].KeepUntil, r.keepUntil(now))
			}
		}
	}
}

// chooseSigners leaves one key to sign and one that will: the youngest of each.
func (r *Ring) chooseSigners(now time.Time) error {
	for _, state := range []State{Active, Next} {
		youngest := r.youngest(state)
		if youngest < 0 && state == Active {
			if youngest = r.youngest(Next); youngest >= 0 {
				r.Keys[youngest].State = Active
			}
		}
		if youngest < 0 {
			fresh, err := newKey(state, now)
			if err != nil {
				return err
			}
			youngest = len(r.Keys)
			r.Keys = append(r.Keys, fresh)
		}
		for i := range r.Keys {
			if i == youngest || r.Keys[i].State != state {
				continue
			}
			if err := r.retire(&r.Keys[i], now); err != nil {
				return err
			}
		}
	}
	return nil
}

// youngest returns the place of the key that was made last, or -1. A ring's keys are in
// the order of their age.
func (r *Ring) youngest(state State) int {
	for i, k := range slices.Backward(r.Keys) {
		if k.State == state {
			return i
		}
	}
	return -1
}
