package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// whole are packages of tests alone that see most of what is below them.
var whole = []string{"internal/simulation"}

// A packages says of each package that has tests, by its path from the root, which
// ones it imports; its tests' imports count in rooms, which are often tested together.
type packages map[string][]string

// listPackages asks the go command for the packages of the module that have tests.
func listPackages(ctx context.Context) (packages, error) {
	const format = `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Module.Path}}{{range .Imports}} {{.}}{{end}} tests{{range .TestImports}} {{.}}{{end}}{{range .XTestImports}} {{.}}{{end}}{{end}}`
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
			if name == "tests" && !strings.Contains(words[0], "/internal/") {
				break
			}
			imports = append(imports, inside(name))
		}
		all[inside(words[0])] = imports
	}
	return all, nil
}

// suites returns the packages whose tests can notice a change in a package, nearest
// first: its own, the rooms that import it, the root, which is made of most, others
// that import it, and the whole. Another module's package has its own tests alone.
func (p packages) suites(dir string) []string {
	dir = path.Clean(filepath.ToSlash(dir))
	if strings.HasPrefix(dir, "adapters/") {
		return []string{dir}
	}
	importers := slices.DeleteFunc(slices.Sorted(maps.Keys(p)), func(name string) bool {
		return name == "." || name == "internal/house" || slices.Contains(whole, name) || !slices.Contains(p[name], dir)
	})
	all := []string{dir}
	for _, rooms := range []bool{true, false} {
		for _, name := range importers {
			if strings.HasPrefix(name, "internal/") == rooms {
				all = append(all, name)
			}
		}
		if rooms {
			all = append(all, ".")
		}
	}
	all = append(all, whole...)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(name string) bool {
		again := seen[name] || p[name] == nil
		seen[name] = true
		return again
	})
}
