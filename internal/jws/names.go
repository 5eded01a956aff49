package jws

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	// firstSlots hold the names of a usual token, those in all its objects;
	// secondSlots those of an unusual one, and manySlots all that fit into 16 KiB.
	firstSlots, secondSlots, manySlots = 64, 256, 4096

	// fewNames are compared one by one: most objects inside others have no more.
	fewNames = 4

	// oddStep keeps the names of one object apart from those of another. It is
	// odd, so that no two numbers of objects give the same.
	oddStep = 0x9E3779B97F4A7C15
)

// manyTables are empty tables that are used again: to make one for each token
// costs more than to fill it.
var manyTables = sync.Pool{New: func() any { return new([manySlots]nameSlot) }}

// nameSeed is new in each process: nobody can choose names that meet in a table.
var nameSeed = maphash.MakeSeed()

// A writtenName is a name as it is meant, and where it lies in the text without
// its quotes. One that is written with escapes lies in nameTable.escaped instead:
// its start is negative, counted from -1 down.
type writtenName struct {
	name  string
	start int32
}

// nameSet tells the names of one object apart. Two readers of a token must never
// choose different ones of two values, so no name may come twice in an object.
// The zero nameSet has none.
type nameSet struct {
	few    [fewNames]writtenName
	count  int    // of few
	object uint64 // the object's number in the table, 0 until it has more than few
}

// add adds a name, or refuses it as a duplicate.
func (n *nameSet) add(t *nameTable, text string, w writtenName) error {
	if n.count < fewNames {
		for i := range n.count {
			if n.few[i].name == w.name {
				return duplicate(w.name)
			}
		}
		n.few[n.count] = w
		n.count++
		return nil
	}
	if n.object == 0 {
		t.objects++
		n.object = t.objects
		for _, early := range n.few {
			if err := t.add(n.object, text, early); err != nil {
				return err
			}
		}
	}
	return t.add(n.object, text, w)
}

// nameTable holds the names of all objects that have more than a few, so that
// what a name costs does not depend on how many there are, nor on how they are
// spread. It holds no pointers into the text, so that the collector of garbage
// need not look through it.
type nameTable struct {
	first   [firstSlots]nameSlot
	more    []nameSlot           // instead of first, once there are too many names for it
	many    *[manySlots]nameSlot // of manyTables
	used    int
	objects uint64

	escaped strings.Builder // the names written with escapes, without them
}

// nameSlot is one place of the table, empty if its hash is 0.
type nameSlot struct {
	hash          uint64 // of the name and of the object it is in
	start, length int32  // as in writtenName
}

// add adds a name to the object of that number, or refuses it as a duplicate.
func (t *nameTable) add(object uint64, text string, w writtenName) error {
	slots := t.first[:]
	if t.more != nil {
		slots = t.more
	}
	if 4*t.used >= 3*len(slots) {
		slots = t.grow(slots)
	}
	hash := maphash.String(nameSeed, w.name) + object*oddStep
	if hash == 0 {
		hash = 1
	}
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		if s.hash == 0 {
			*s = nameSlot{hash, w.start, int32(len(w.name))}
			t.used++
			return nil
		}
		if s.hash == hash && t.name(s, text) == w.name {
			return duplicate(w.name)
		}
	}
}

// name returns the name in a slot.
func (t *nameTable) name(s *nameSlot, text string) string {
	start := int(s.start)
	if start < 0 {
		start, text = -start-1, t.escaped.String()
	}
	return text[start : start+int(s.length)]
}

// grow puts a larger table in the place of one that is full.
func (t *nameTable) grow(full []nameSlot) []nameSlot {
	switch {
	case len(full) == firstSlots:
		t.more = make([]nameSlot, secondSlots)
	case len(full) == secondSlots:
		t.many = manyTables.Get().(*[manySlots]nameSlot)
		t.more = t.many[:]
	default:
		t.more = make([]nameSlot, 4*len(full))
	}
	mask := uint64(len(t.more) - 1)
	for _, s := range full {
		i := s.hash & mask
		for s.hash != 0 && t.more[i].hash != 0 {
			i = (i + 1) & mask
		}
		if s.hash != 0 {
			t.more[i] = s
		}
	}
	return t.more
}

// end lets others use the memory of the table.
func (t *nameTable) end() {
	if t.many != nil {
		clear(t.many[:])
		manyTables.Put(t.many)
	}
}

// unescape returns the name that lies in inner with escapes. All such names of
// a text share one piece of memory.
func (t *nameTable) unescape(inner, text string) writtenName {
	if t.escaped.Cap() == 0 {
		t.escaped.Grow(len(text)) // no name gets longer by it
	}
	from := t.escaped.Len()
	writeUnescaped(&t.escaped, inner)
	return writtenName{t.escaped.String()[from:], int32(-from - 1)}
}

func duplicate(name string) error {
	return refuse("duplicate member name %s", quote.Value(name))
}
