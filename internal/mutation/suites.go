package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A packages says of each package that has tests, by its path from the root, which
// ones it imports.
type packages map[string][]string

// listPackages asks the go command for the packages of the module that have tests.
func listPackages(ctx context.Context) (packages, error) {
	const format = `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Module.Path}}{{range .Imports}} {{.}}{{end}}{{end}}`
	out, err := exec.CommandContext(ctx, "go", "list", "-f", format, "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := packages{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		inside := func(name string) string {
			if name == words[1] {
				return "."
			}
			return strings.TrimPrefix(name, words[1]+"/")
		}
		imports := []string{}
		for _, name := range words[2:] {
			imports = append(imports, inside(name))
		}
		all[inside(words[0])] = imports
	}
	return all, nil
}

// suites returns the packages whose tests can notice a change in a package, nearest
// first: its own, the root, which is made of most, and those that import it. Another
// module's package has its own tests alone.
func (p packages) suites(dir string) []string {
	dir = path.Clean(filepath.ToSlash(dir))
	if strings.HasPrefix(dir, "adapters/") {
		return []string{dir}
	}
	var near, others []string
	for name, imports := range p {
		switch {
		case name == dir || name == ".":
		case slices.Contains(imports, dir):
			others = append(others, name)
		}
	}
	if p[dir] != nil {
		near = append(near, dir)
	}
	if dir != "." {
		near = append(near, ".")
	}
	slices.Sort(others)
	return append(near, others...)
}
