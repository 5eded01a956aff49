package main

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"slices"
)

// measures are the figures of one package.
type measures struct {
	files, lines               int
	names, fields              int
	fieldsOf                   map[string]int
	functions, median, longest int
	longestName                string
	references                 int      // pairs of files of which one refers to the other
	cycle                      []string // the most files that refer to each other, round about
}

func measure(s source) measures {
	m := measures{files: len(s.files), fieldsOf: map[string]int{}}
	for _, f := range s.files {
		m.lines += s.fset.Position(f.End()).Line
	}
	m.countNames(s.types)
	m.countFunctions(s)
	graph := references(s)
	for _, to := range graph {
		m.references += len(to)
	}
	if m.cycle = largestCycle(graph); len(m.cycle) == 1 {
		m.cycle = nil
	}
	return m
}

// countNames counts what a user of the package can name: constants, variables,
// functions, types, their methods and, apart, the fields of their structs. What
// another package declares counts there.
func (m *measures) countNames(p *types.Package) {
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		m.names++
		named, ok := object.Type().(*types.Named)
		if _, isType := object.(*types.TypeName); !ok || !isType || named.Obj() != object {
			continue
		}
		for method := range named.Methods() {
			if method.Exported() {
				m.names++
			}
		}
		switch under := named.Underlying().(type) {
		case *types.Interface:
			m.names += under.NumExplicitMethods()
		case *types.Struct:
			for field := range under.Fields() {
				if field.Exported() {
					m.fields++
					m.fieldsOf[name]++
				}
			}
		}
	}
}

func (m *measures) countFunctions(s source) {
	var lengths []int
	for _, f := range s.files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
			lengths = append(lengths, n)
			if n > m.longest {
				m.longest, m.longestName = n, fn.Name.Name
			}
		}
	}
	slices.Sort(lengths)
	m.functions = len(lengths)
	if len(lengths) > 0 {
		m.median = lengths[len(lengths)/2]
	}
}

// references returns for each file the others that declare what it names.
func references(s source) map[string]map[string]bool {
	graph := map[string]map[string]bool{}
	for name, file := range s.files {
		graph[name] = map[string]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			object := s.info.Uses[id]
			if object == nil || object.Pkg() != s.types || !object.Pos().IsValid() {
				return true
			}
			if to := filepath.Base(s.fset.Position(object.Pos()).Filename); to != name {
				graph[name][to] = true
			}
			return true
		})
	}
	return graph
}
