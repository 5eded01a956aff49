package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const modulePath = "github.com/oidcauth/oidcauth"

// A source is one package of the module, parsed and type-checked, without tests.
type source struct {
	path  string
	fset  *token.FileSet
	files map[string]*ast.File // by base name
	info  *types.Info
	types *types.Package
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
}

// load reads the module's packages that match a pattern, by their paths.
func load(pattern string) ([]source, error) {
	all, err := list(pattern)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	var sources []source
	for _, p := range all {
		if p.ImportPath != modulePath && !strings.HasPrefix(p.ImportPath, modulePath+"/") {
			continue
		}
		s, err := check(p, exports)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(a, b source) int { return strings.Compare(a.path, b.path) })
	return sources, nil
}

// list asks the go command for packages and all that they import, compiled.
func list(pattern string) ([]listed, error) {
	return goList("-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles", pattern)
}

func goList(arguments ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list"}, arguments...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// check parses and type-checks one package.
func check(p listed, exports map[string]string) (source, error) {
	s := source{path: p.ImportPath, fset: token.NewFileSet(), files: map[string]*ast.File{}}
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(s.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return s, err
		}
		s.files[name] = file
		files = append(files, file)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	s.info = &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	cfg := types.Config{Importer: importer.ForCompiler(s.fset, "gc", lookup)}
	var err error
	s.types, err = cfg.Check(p.ImportPath, s.fset, files, s.info)
	return s, err
}
