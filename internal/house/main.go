// Command house measures the structure of the module: for each package the
// exported names and fields, the files, the lengths of functions, and the graph
// of which file refers to which, with its largest cycle. It exits with 1 when a
// package exceeds its limits, which limits.go holds.
//
//	go run ./internal/house
package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

func main() {
	packages, err := load("./...")
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "package\tfiles\tlines\tnames\tfields\tfunctions\tmedian\tlongest\treferences\tcycle\t")
	var broken []string
	for _, p := range packages {
		m := measure(p)
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", short(p.path),
			m.files, m.lines, m.names, m.fields, m.functions, m.median, m.longest, m.references, len(m.cycle))
		broken = append(broken, limits[short(p.path)].check(short(p.path), m)...)
	}
	out.Flush()
	if len(broken) > 0 {
		fmt.Println()
		fmt.Println(strings.Join(broken, "\n"))
		os.Exit(1)
	}
}

// short returns a package's path below the module, "." for the root.
func short(path string) string {
	rest, below := strings.CutPrefix(path, modulePath+"/")
	if below {
		return rest
	}
	return "."
}
