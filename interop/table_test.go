package interop_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var update = flag.Bool("update", false, "write the table of README.md")

// The README's table is what the runs recorded, no more and no less.
func TestTable(t *testing.T) {
	const begin, end = "<!-- begin table -->\n", "<!-- end table -->\n"
	table, err := trial.Table("trials")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("README.md: want %q and %q", begin, end)
	}
	want := before + begin + table + end + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("README.md: the table is not what was recorded: run go test ./interop -run TestTable -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
