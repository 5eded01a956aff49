package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The map in docs/architecture.md has each package of the module once, and each
// imports no package of the module that the map does not permit. The root may
// import all that is below it.
func TestRooms_Documented(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := imports("../../...")
	if err != nil {
		t.Fatal(err)
	}
	permitted := map[string]string{} // by package
	row := regexp.MustCompile("(?m)^\\| `([a-z./]+)` \\| [^|]+ \\| ([^|]*)\\|$")
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		name := found[1]
		if _, twice := permitted[name]; twice {
			t.Errorf("%s stands in the table twice", name)
		}
		if _, known := all[modulePath+strings.TrimSuffix("/"+name, "/.")]; !known {
			t.Errorf("%s stands in the table and is no package", name)
		}
		permitted[name] = found[2]
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		from := short(path)
		cell, documented := permitted[from]
		if !documented {
			t.Errorf("%s does not stand in the table", from)
			continue
		}
		for _, p := range all[path] {
			inside := p == modulePath || strings.HasPrefix(p, modulePath+"/")
			if inside && from != "." && !strings.Contains(cell, "`"+short(p)+"`") {
				t.Errorf("%s imports %s, and the table permits %s", from, short(p), cell)
			}
		}
	}
}
