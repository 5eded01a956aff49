package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// inMemory is the one server of an example that nobody reaches from outside.
const inMemory = "examples/guide/pipes/pipes.go"

// Whoever copies an example's server has one that does not wait for ever for clients that
// say nothing: a connection costs them nothing.
func TestExamples_ServersWait(t *testing.T) {
	t.Chdir(root)
	servers := 0
	err := filepath.WalkDir("examples", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == inMemory {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name := selected(n.Fun); strings.HasPrefix(name, "http.ListenAndServe") || name == "http.Serve" {
					t.Errorf("%s: %s waits for ever: want an http.Server with ReadTimeout", set.Position(n.Pos()), name)
				}
			case *ast.CompositeLit:
				if selected(n.Type) != "http.Server" {
					return true
				}
				servers++
				if !sets(n, "ReadTimeout") { // which counts between requests, too
					t.Errorf("%s: an http.Server without ReadTimeout waits for ever", set.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil || servers < 6 {
		t.Errorf("found %d servers, %v, want those of the examples", servers, err)
	}
}

// selected returns "package.Name" of an expression that is that.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// sets reports whether a literal gives a field a value.
func sets(lit *ast.CompositeLit, field string) bool {
	for _, e := range lit.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if name, ok := pair.Key.(*ast.Ident); ok && name.Name == field {
				return true
			}
		}
	}
	return false
}
