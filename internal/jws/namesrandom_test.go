package jws_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A nameForest writes random objects in objects, and knows whether a name comes
// twice in one of them.
type nameForest struct {
	random *rand.Rand
	text   strings.Builder
	left   int // names to be written
	names  int // there are
	twice  bool
}

// object writes an object of random names, in random spellings.
func (f *nameForest) object(depth int) {
	seen := map[int]bool{}
	f.text.WriteByte('{')
	for n := f.random.IntN(f.left + 2); n > 0 && f.left > 0; n-- {
		if len(seen) > 0 {
			f.text.WriteByte(',')
		}
		name := f.random.IntN(f.names)
		f.twice = f.twice || seen[name]
		seen[name] = true
		f.left--
		f.name(name)
		f.text.WriteByte(':')
		f.value(depth)
	}
	f.text.WriteByte('}')
}

func (f *nameForest) name(n int) {
	escapes := f.random.IntN(4) == 0 // there may be escapes in so many names only
	f.text.WriteByte('"')
	for _, c := range fmt.Sprintf("n%d/é", n) {
		if escapes && f.random.IntN(4) == 0 {
			fmt.Fprintf(&f.text, `\u%04x`, c)
		} else {
			f.text.WriteRune(c)
		}
	}
	f.text.WriteByte('"')
}

func (f *nameForest) value(depth int) {
	switch f.random.IntN(12) {
	case 0, 1:
		if depth < 30 {
			f.object(depth + 1)
			return
		}
	case 2:
		if depth < 29 {
			f.text.WriteByte('[')
			f.object(depth + 2)
			f.text.WriteByte(',')
			f.object(depth + 2)
			f.text.WriteByte(']')
			return
		}
	}
	f.text.WriteByte('0')
}

// However many names there are, in however many objects and spellings, and
// whatever tables were used before and are used beside: a name that comes twice in
// an object is found, and one that comes in two objects is in order.
func TestParseObject_NamesAtRandom(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	counts := [4]struct{ twice, once int }{}
	for worker := range counts {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 150 {
				f := &nameForest{random: random, left: 1 << random.IntN(13)}
				f.names = 1 + f.left<<random.IntN(8)
				f.object(1)
				_, err := jws.ParseObject(nil, f.text.String())
				if (err != nil) != f.twice {
					t.Errorf("ParseObject() error = %v of a text in which a name comes twice: %t\n%.2000s", err, f.twice, f.text.String())
					return
				}
				if f.twice {
					counts[worker].twice++
				} else {
					counts[worker].once++
				}
			}
		})
	}
	wg.Wait()
	for worker, n := range counts {
		if n.twice < 10 || n.once < 10 {
			t.Errorf("worker %d saw %d texts with a name twice and %d without, want 10 of each", worker, n.twice, n.once)
		}
	}
}

// No name is lost as the table of an object's names grows, wherever in it the name is:
// each comes a second time once.
func TestParseObject_NamesOfGrownTables(t *testing.T) {
	t.Parallel()
	for n := range 60 {
		var b strings.Builder
		for i := range 49 { // one more than the first table holds
			fmt.Fprintf(&b, `"%d-%d":0,`, n, i)
		}
		for i := range 49 {
			text := fmt.Sprintf(`{%s"%d-%d":0}`, b.String(), n, i)
			if _, err := jws.ParseObject(nil, text); !errors.Is(err, jws.ErrMalformed) || !strings.Contains(err.Error(), "duplicate") {
				t.Fatalf("ParseObject(%s) error = %v, want a duplicate", text, err)
			}
		}
		if _, err := jws.ParseObject(nil, "{"+strings.TrimSuffix(b.String(), ",")+"}"); err != nil {
			t.Fatalf("ParseObject() of 49 names: error = %v", err)
		}
	}
}
