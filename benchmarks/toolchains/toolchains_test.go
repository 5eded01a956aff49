package main

import (
	"strings"
	"testing"
)

const printed = `goos: linux
BenchmarkAuthenticate/RS256/cold/bare-2     	 1	 40100 ns/op	 40000 cpu-ns/op	 2208 B/op	 11 allocs/op
BenchmarkAuthenticate/RS256/cold/oidcauth-2 	 1	 30100 ns/op	 30000 cpu-ns/op	  680 B/op	  4 allocs/op
BenchmarkAuthenticate/RS256/hot/oidcauth-2  	 1	   210 ns/op	   200 cpu-ns/op	    0 B/op	  0 allocs/op
PASS
`

// TestWrite: a round in which everything is slow does not count.
func TestWrite(t *testing.T) {
	found := make(table)
	for _, slow := range []string{"", "0", ""} {
		for version, digit := range map[string]string{"a": "3", "b": "6"} {
			text := strings.ReplaceAll(printed, "30000 cpu", digit+"0000"+slow+" cpu")
			text = strings.ReplaceAll(text, "40000 cpu", "40000"+slow+" cpu")
			if err := read(strings.NewReader(text), found.of(version)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out strings.Builder
	settings{versions: []string{"a", "b"}}.write(&out, found)
	want := `| use | algorithm | a | against bare | b | against bare | b as a multiple |
|---|---|---|---|---|---|---|
| first | RS256 | 30µs | 0.750 | 60µs | 1.500 | 2.00 |
| second | RS256 | 200ns | 0.005 | 200ns | 0.005 | 1.00 |
`
	if out.String() != want {
		t.Errorf("write() wrote\n%s, want\n%s", out.String(), want)
	}
}

func TestRead_Nothing(t *testing.T) {
	if err := read(strings.NewReader("PASS\n"), make(map[string][]float64)); err == nil {
		t.Error("no benchmark at all: got no error")
	}
}
