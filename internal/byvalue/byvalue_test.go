package byvalue_test

import (
	"net/http"
	"testing"

	"github.com/oidcauth/oidcauth/internal/byvalue"
)

type inner struct {
	Names []string
	Rest  []inner
}

type description struct {
	Text   string
	Bytes  []byte
	Inner  inner
	Table  map[string][]string
	Pair   [2]string
	Func   func()
	Client *http.Client
	Any    any
	hidden int
}

func full() description {
	return description{
		Text: "a", Bytes: []byte("b"), Inner: inner{Names: []string{"c"}, Rest: []inner{{Names: []string{"d"}}}},
		Table: map[string][]string{"e": {"f"}}, Pair: [2]string{"g", "h"}, Client: http.DefaultClient, Any: "i", hidden: 1,
	}
}

func TestEqual(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*description)
		want   bool
	}{
		{"nothing", func(*description) {}, true},
		{"a string", func(d *description) { d.Text = "x" }, false},
		{"a byte", func(d *description) { d.Bytes[0] = 'x' }, false},
		{"a slice deep down", func(d *description) { d.Inner.Rest[0].Names[0] = "x" }, false},
		{"one more in a slice", func(d *description) { d.Inner.Names = append(d.Inner.Names, "c") }, false},
		{"none for an empty slice", func(d *description) { d.Inner.Rest[0].Rest = []inner{} }, false},
		{"a value in a map", func(d *description) { d.Table["e"][0] = "x" }, false},
		{"a key of a map", func(d *description) { d.Table = map[string][]string{"x": {"f"}} }, false},
		{"one more in a map", func(d *description) { d.Table["y"] = nil }, false},
		{"no map", func(d *description) { d.Table = nil }, false},
		{"an array", func(d *description) { d.Pair[1] = "x" }, false},
		{"a function", func(d *description) { d.Func = func() {} }, false},
		{"another client that says the same", func(d *description) { d.Client = new(http.Client) }, false},
		{"another value behind an interface", func(d *description) { d.Any = "x" }, false},
		{"another type behind an interface", func(d *description) { d.Any = 1 }, false},
		{"what cannot be compared", func(d *description) { d.Any = []string{"i"} }, false},
		{"what is not exported", func(d *description) { d.hidden = 2 }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := full(), full()
			tt.change(&b)
			if got := byvalue.Equal(a, b); got != tt.want {
				t.Errorf("Equal() = %v, want %v", got, tt.want)
			}
			if got := byvalue.Equal(b, a); got != tt.want {
				t.Errorf("Equal() = %v the other way round, want %v", got, tt.want)
			}
		})
	}
}

// None is another than an empty one.
func TestEqual_Empty(t *testing.T) {
	none, empty := description{}, description{Table: map[string][]string{}}
	if byvalue.Equal(none, empty) || byvalue.Equal(empty, none) || !byvalue.Equal(empty, byvalue.Clone(empty)) {
		t.Error("no map equals an empty one, or an empty one not its copy")
	}
}

// Nothing says of two functions that they do the same, not even of one and itself.
func TestEqual_Functions(t *testing.T) {
	d := full()
	d.Func = func() {}
	if byvalue.Equal(d, d) {
		t.Error("a function equals itself")
	}
	d.Func, d.Any = nil, []string{}
	if byvalue.Equal(d, d) {
		t.Error("what cannot be compared equals itself")
	}
}

func TestClone(t *testing.T) {
	d := full()
	c := byvalue.Clone(d)
	if !byvalue.Equal(c, full()) {
		t.Fatalf("Clone() = %+v", c)
	}
	d.Bytes[0], d.Inner.Names[0], d.Inner.Rest[0].Names[0], d.Table["e"][0], d.Pair[0] = 'x', "x", "x", "x", "x"
	d.Table["y"] = nil
	if !byvalue.Equal(c, full()) {
		t.Errorf("the copy changes with what it was made of: %+v", c)
	}
	if none := byvalue.Clone(description{}); !byvalue.Equal(none, description{}) {
		t.Errorf("Clone() of nothing = %+v", none)
	}
}

// A function is the same if it is the same value, and no other of the same code is.
func TestSameFunc(t *testing.T) {
	made := func(n int) func() int { return func() int { n++; return n } }
	one, other := made(1), made(1)
	copied := struct{ f func() int }{one}
	var none, none2 func() int
	for name, tt := range map[string]struct {
		a, b func() int
		want bool
	}{
		"itself":                  {one, one, true},
		"a copy":                  {one, byvalue.Clone(copied).f, true},
		"none":                    {none, none2, true},
		"another of the same":     {one, other, false},
		"none and one":            {none, one, false},
		"two method values":       {inner{}.len, inner{}.len, false},
		"of another variable":     {made(1), made(2), false},
		"a function with no more": {constant, constant, true},
	} {
		if got := byvalue.SameFunc(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: SameFunc() = %t, want %t", name, got, tt.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("what is no function was compared")
		}
	}()
	byvalue.SameFunc(1, 1)
}

func (i inner) len() int { return len(i.Names) }

func constant() int { return 1 }
