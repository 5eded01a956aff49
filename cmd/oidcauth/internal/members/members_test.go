package members_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

type lent struct {
	Size int `json:"size"`
	Both int `json:"both"`
}

type part struct {
	lent
	Both  string            `json:"both" about:"its own"`
	Names []string          `json:"names"`
	Free  map[string]part   `json:"free"`
	Raw   json.RawMessage   `json:"raw"`
	Texts map[string]string `json:"texts"`
}

// Check wants a name where there is a size.
func (p *part) Check(report func(member, text string)) {
	if p.Size > 0 && len(p.Names) == 0 {
		report("size", "it needs names")
	}
	if p.Both == "nothing" {
		report("", "it says nothing")
	}
}

type whole struct {
	Part   *part   `json:"part" live:"true"`
	Parts  []part  `json:"parts"`
	Form   string  `json:"form" values:"text json"`
	Ratio  float64 `json:"ratio"`
	Hidden string  `json:"-"`
}

func TestTable_Read(t *testing.T) {
	t.Parallel()
	var got whole
	err := new(members.Table).Read([]byte(`{"part": {"size": 3, "both": "x", "names": ["a", "b"], "raw": {"any": [1]},
		"free": {"one": {"both": "y"}}, "texts": {"k": "v"}}, "parts": [], "form": "json", "ratio": 1e2}`), &got)
	want := whole{Part: &part{
		lent: lent{Size: 3}, Both: "x", Names: []string{"a", "b"}, Raw: json.RawMessage(`{"any": [1]}`),
		Free: map[string]part{"one": {Both: "y"}}, Texts: map[string]string{"k": "v"},
	}, Parts: []part{}, Form: "json", Ratio: 100}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Read() = %+v, %v, want %+v", got, err, want)
	}
}

// TestTable_NoNull: where null is a mistake it is one anywhere, in a list and below a name
// of anybody's too.
func TestTable_NoNull(t *testing.T) {
	t.Parallel()
	const text = `{"part": {"names": null, "raw": null, "free": {"x": null}}, "parts": [null], "form": null}`
	err := (&members.Table{NoNull: true}).Read([]byte(text), new(whole))
	if err == nil {
		t.Fatal("no mistake")
	}
	for _, want := range []string{
		"part.names: got null, want a list: leave it out if nothing is meant", "part.raw: got null, want a value",
		"part.free.x: got null, want an object", "parts[0]: got null, want an object", "form: got null, want a text",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one mistake to be %q", err, want)
		}
	}
}

func TestTable_Mistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"none", "{\n\"part\": null, \"form\": null}", ""},
		{"a mark that editors put there", "\ufeff{}", "the file begins with a byte order mark, want it without: save it as UTF-8 alone"},
		{"unknown below a name of anybody's", `{"part": {"free": {"x": {"nams": []}}}}`, "line 1: part.free.x.nams: there is no such member; did you mean names?"},
		{"a member of another object", `{"texts": {}}`, "line 1: texts: there is no such member; did you mean part.texts?"},
		{"as deep as can be", `{"part": {"raw": ` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}}`, ""},
		{"without end", `{"part": {"raw": ` + strings.Repeat("[", 100_000), "objects and lists stand in each other, more than 64 deep"},
		{"half of a name", `{"part": {"siz_in_bytes": 1}}`, "line 1: part.siz_in_bytes: there is no such member"},
		{"more than a name", `{"part": {"rawest": 1}}`, "line 1: part.rawest: there is no such member; did you mean raw?"},
		{"no member at all", `{"Hidden": "x"}`, "line 1: Hidden: there is no such member"},
		{"what a check says", "{\"part\": {\n\"both\": \"y\",\n\"size\": 1}}", "line 3: part.size: it needs names"},
		{"what a check says of the whole", "{\n\"part\": {\"both\": \"nothing\"}}", "line 2: part: it says nothing"},
		{"a check of what is wrong by its type", `{"part": {"size": 1, "names": 7}}`, "line 1: part.names: got a number, want a list"},
		{"a check in a list", `{"parts": [{}, {"size": 1}]}`, "line 1: parts[1].size: it needs names"},
		{"another text", `{"form": "JSON"}`, `line 1: form: got "JSON", want text, json; did you mean json?`},
		{"a number too large", `{"ratio": 1e999}`, "line 1: ratio: got 1e999, want a number of a size that can be"},
		{"a whole number too large", `{"parts": [{"size": 9223372036854775808}]}`, "line 1: parts[0].size: got 9223372036854775808, want a whole number"},
		{"twice, and again", `{"form": "text", "form": "text", "form": "x"}`, "line 1: form: it comes twice in one object\nline 1: form: it comes twice in one object"},
	} {
		err := new(members.Table).Read([]byte(test.text), new(whole))
		got := ""
		var mistakes members.Mistakes
		if errors.As(err, &mistakes) {
			got = mistakes.Error()
		} else if err != nil {
			t.Errorf("%s: Read() error is a %T", test.name, err)
		}
		if got != test.want {
			t.Errorf("%s: Read() error =\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
}

// A Table of the test's own has the name of another package's.
type Table struct {
	Inner *members.Table `json:"inner"`
	Again []Table        `json:"again"`
}

// TestTable_Schema: structs of one name have schemas of their own, and one may be part of
// itself.
func TestTable_Schema(t *testing.T) {
	t.Parallel()
	type whole struct {
		Table Table `json:"table" about:"what it is"`
	}
	text, err := new(members.Table).Schema(reflect.TypeFor[whole](), "the title")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Title      string
		Properties struct {
			Table struct{ Ref, Description string }
		}
		Defs map[string]struct {
			Properties map[string]struct {
				Ref   string `json:"$ref"`
				Items struct {
					Ref string `json:"$ref"`
				}
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	table := got.Defs["table"].Properties
	if got.Title != "the title" || got.Properties.Table.Description != "what it is" || len(got.Defs) != 2 ||
		table["inner"].Ref != "#/$defs/table_" || table["again"].Items.Ref != "#/$defs/table" {
		t.Errorf("Schema() = %s", text)
	}
}

func TestTable_Of(t *testing.T) {
	t.Parallel()
	table := members.Table{About: map[reflect.Type]map[string]string{reflect.TypeFor[lent](): {"size": "how large"}}}
	var got []string
	for _, m := range table.Of(reflect.TypeFor[part]()) {
		got = append(got, m.Name+"="+m.About)
	}
	if want := "size=how large both=its own names= free= raw= texts="; strings.Join(got, " ") != want {
		t.Errorf("Of() = %q, want %q", got, want)
	}
	for _, m := range table.Of(reflect.TypeFor[whole]()) {
		if m.Live != (m.Name == "part") {
			t.Errorf("%s: Live = %t", m.Name, m.Live)
		}
	}
}

// FuzzRead: whatever a file holds, it is refused or read as encoding/json reads it.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{}`, `{"part": {"names": ["a"`, `[`, `{"a":1,"a":2}`, `{"parts":[{"raw":{}}]}`, "{\"form\": \"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want whole
		if new(members.Table).Read(data, &got) != nil {
			return
		}
		if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, and encoding/json %+v, %v, from %q", got, want, err, data)
		}
	})
}
