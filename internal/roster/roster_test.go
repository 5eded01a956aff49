package roster_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/roster"
)

type description = roster.Description

func under(prefix string) func(string) bool {
	return func(issuer string) bool { return strings.HasPrefix(issuer, prefix) }
}

func TestArrange(t *testing.T) {
	all := []description{
		{URL: "a", Name: "1"},
		{URL: "t/{id}", Match: under("t/")},
		{URL: "b", Aliases: []string{"t/2", "x"}, Prefix: "p:"},
		{URL: "a", Name: "3", Prefix: "pq"},
		{URL: "a", Name: "2", Prefix: "p"},
		{URL: "t/1"},
	}
	places, err := roster.Arrange(all, func(i, j int) bool { return i == j })
	if err != nil {
		t.Fatal(err)
	}
	want := []roster.Place{
		{Reserved: []string{"p", "pq"}}, {Except: []string{"t/1", "t/2", "t/{id}"}}, {},
		{}, {Reserved: []string{"pq"}}, {},
	}
	if !reflect.DeepEqual(places, want) {
		t.Errorf("Arrange() = %+v, want %+v", places, want)
	}
}

func TestArrange_Refuses(t *testing.T) {
	never := func(int, int) bool { return false }
	always := func(int, int) bool { return true }
	for _, tt := range []struct {
		name string
		all  []description
		same func(int, int) bool
		want string // in the error; empty for none
	}{
		{"one without a name", []description{{URL: "a"}}, never, ""},
		{"one with a prefix", []description{{URL: "a", Prefix: "p"}}, never, ""},
		{"two issuers", []description{{URL: "a"}, {URL: "b"}}, never, ""},
		{"two of one", []description{{URL: "a", Name: "1"}, {URL: "a", Name: "2"}}, always, ""},
		{"two of which one has no name", []description{{URL: "a", Name: "1"}, {URL: "a"}}, always, "twice"},
		{"two with one name", []description{{URL: "a", Name: "1"}, {URL: "a", Name: "1"}}, always, "the Name"},
		{"names of two issuers may be the same", []description{{URL: "a", Name: "1"}, {URL: "b", Name: "1"}}, always, ""},
		{"other subjects", []description{{URL: "a", Name: "1"}, {URL: "a", Name: "2"}}, never, "SubjectPrefix"},
		{"other subjects with one prefix", []description{{URL: "a", Name: "1", Prefix: "p"}, {URL: "a", Name: "2", Prefix: "p"}}, never, "SubjectPrefix"},
		{"other subjects with a prefix each", []description{{URL: "a", Name: "1", Prefix: "p"}, {URL: "a", Name: "2", Prefix: "q"}}, never, ""},
		{"other subjects with a prefix in one", []description{{URL: "a", Name: "1"}, {URL: "a", Name: "2", Prefix: "q"}}, never, ""},
		{"of three, two that are alike", []description{{URL: "a", Name: "1"}, {URL: "a", Name: "2", Prefix: "q"}, {URL: "a", Name: "3"}}, never, "SubjectPrefix"},
		{"other aliases", []description{{URL: "a", Name: "1", Aliases: []string{"x"}}, {URL: "a", Name: "2"}}, always, "Aliases"},
		{"the same aliases in another order", []description{{URL: "a", Name: "1", Aliases: []string{"x", "y"}}, {URL: "a", Name: "2", Aliases: []string{"y", "x"}}}, always, ""},
		{"an alias that is another's URL", []description{{URL: "a", Aliases: []string{"b"}}, {URL: "b"}}, always, `"b" is configured twice`},
		{"an alias of two", []description{{URL: "a", Aliases: []string{"x"}}, {URL: "b", Aliases: []string{"x"}}}, always, `"x" is configured twice`},
		{"an alias that is its own URL", []description{{URL: "a", Aliases: []string{"a"}}}, always, `"a" is configured twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := roster.Arrange(tt.all, tt.same)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Arrange() error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	var table roster.Table[string]
	if table.Find("a") != nil || table.Names() != nil {
		t.Error("an empty table knows somebody")
	}
	a := description{URL: "a", Aliases: []string{"x"}}
	first := description{URL: "t/{id}", Match: under("t/")}
	second := description{URL: "t/t/{id}", Match: under("t/t/")}
	table.Add(&a, "a1")
	table.Add(&first, "t1")
	table.Add(&second, "s1")
	table.Add(&first, "t2")
	table.Add(&a, "a2")
	table.Add(&description{URL: "t/1"}, "own")
	for name, want := range map[string][]string{
		"a": {"a1", "a2"}, "x": {"a1", "a2"}, "A": nil, "": nil,
		"t/1": {"own"}, "t/2": {"t1", "t2"}, "t/t/1": {"t1", "t2"}, "t/{id}": {"t1", "t2"}, "t/t/{id}": {"s1"},
	} {
		if got := table.Find(name); !slices.Equal(got, want) {
			t.Errorf("Find(%q) = %q, want %q", name, got, want)
		}
	}
	if table.Named("t/2") != nil || !slices.Equal(table.Named("x"), []string{"a1", "a2"}) {
		t.Error("Named() looks at templates, or not at names")
	}
	if want := []string{"a", "x", "t/{id}", "t/t/{id}", "t/1"}; !slices.Equal(table.Names(), want) {
		t.Errorf("Names() = %q, want %q", table.Names(), want)
	}
}

func TestPlace_Equal(t *testing.T) {
	place := roster.Place{Reserved: []string{"p"}, Except: []string{"a"}}
	for _, tt := range []struct {
		other roster.Place
		want  bool
	}{
		{roster.Place{Reserved: []string{"p"}, Except: []string{"a"}}, true},
		{roster.Place{Reserved: []string{"q"}, Except: []string{"a"}}, false},
		{roster.Place{Reserved: []string{"p"}, Except: []string{"b"}}, false},
	} {
		if got := place.Equal(tt.other); got != tt.want {
			t.Errorf("%+v.Equal(%+v): got %t, want %t", place, tt.other, got, tt.want)
		}
	}
}
