package main

import (
	"slices"
	"strings"
	"testing"
)

func TestLargestCycle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edges []string
		want  []string
	}{
		{"no edge", []string{"a"}, []string{"a"}},
		{"a line", []string{"a>b", "b>c"}, []string{"c"}},
		{"a ring", []string{"a>b", "b>c", "c>a", "c>d"}, []string{"a", "b", "c"}},
		{"two rings apart", []string{"a>b", "b>a", "c>d", "d>e", "e>c"}, []string{"c", "d", "e"}},
		{"two rings that meet", []string{"a>b", "b>a", "b>c", "c>d", "d>b"}, []string{"a", "b", "c", "d"}},
		{"rings with one way between", []string{"a>b", "b>a", "a>c", "c>d", "d>e", "e>c"}, []string{"c", "d", "e"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			graph := map[string]map[string]bool{}
			for _, edge := range tt.edges {
				from, to, _ := strings.Cut(edge, ">")
				for _, n := range []string{from, to} {
					if n != "" && graph[n] == nil {
						graph[n] = map[string]bool{}
					}
				}
				if to != "" {
					graph[from][to] = true
				}
			}
			if got := largestCycle(graph); !slices.Equal(got, tt.want) {
				t.Errorf("largestCycle() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMeasure(t *testing.T) {
	sources, err := load("./testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(sources, func(s source) bool { return strings.HasSuffix(s.path, "testdata/sample") })
	if i < 0 {
		t.Fatal("the sample was not loaded")
	}
	m := measure(sources[i])
	if m.files != 3 || m.names != 9 || m.fields != 2 || m.fieldsOf["Face"] != 2 {
		t.Errorf("files, names, fields = %d, %d, %d %v, want 3, 9, 2", m.files, m.names, m.fields, m.fieldsOf)
	}
	if m.functions != 4 || m.longest != 5 || m.longestName != "Long" {
		t.Errorf("functions, longest = %d, %d %s, want 4, 5 Long", m.functions, m.longest, m.longestName)
	}
	if want := []string{"a.go", "b.go"}; m.references != 4 || !slices.Equal(m.cycle, want) {
		t.Errorf("references, cycle = %d, %q, want 4, %q", m.references, m.cycle, want)
	}
	strict := limit{files: 2, names: 8, cycle: 1, length: 4, fields: map[string]int{"Face": 1}}
	if broken := strict.check("sample", m); len(broken) != 5 {
		t.Errorf("check() = %q, want a line for each limit", broken)
	}
	if broken := (limit{files: 3, names: 9, cycle: 2, length: 5, fields: map[string]int{"Face": 2}}).check("sample", m); broken != nil {
		t.Errorf("check() = %q, want nothing", broken)
	}
}
