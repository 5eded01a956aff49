package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A site is a place in a source file where one small change can be made.
type site struct {
	id         string // of the change, without its line, which moves
	file       string // by its path from the root
	line       int
	in         string // the function, or what is declared there
	kind       string // what is changed
	start, end int    // the bytes that are replaced
	was, with  string
	from, to   int // the bytes of what they are part of: an operator's operands, otherwise the same
	begins     int // the line of from
}

// String tells the place and the change in one line.
func (s site) String() string {
	return fmt.Sprintf("%s %s:%d: %s: %s: %s -> %s", s.id, s.file, s.line, s.in, s.kind, shorten(s.was), shorten(s.with))
}

// identify gives each site its id: of the file, the function and the change, and of how
// many of the same stand before it there.
func identify(sites []site) {
	seen := map[string]int{}
	for i := range sites {
		s := &sites[i]
		key := strings.Join([]string{s.file, s.in, s.kind, s.was, s.with}, "\x00")
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		s.id = hex.EncodeToString(sum[:5])
		seen[key]++
	}
}

// shorten makes one line of a piece of code.
func shorten(code string) string {
	const most = 72
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > most {
		code = code[:most] + "…"
	}
	if code == "" {
		return "nothing"
	}
	return code
}

// sitesOf returns all sites of the files of a directory that are built here, tests
// excluded, in order.
func sitesOf(dir string) ([]site, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []site
	for _, name := range names {
		built, err := build.Default.MatchFile(dir, filepath.Base(name))
		if err != nil {
			return nil, err
		}
		if !built || strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found, err := sitesIn(filepath.ToSlash(name), source)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// sitesIn returns the sites of one file.
func sitesIn(name string, source []byte) ([]site, error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		return nil, err
	}
	f := &finder{name: name, source: source, file: files.File(parsed.FileStart), unread: map[int]bool{}}
	for _, d := range parsed.Decls {
		f.declaration(d)
	}
	slices.SortStableFunc(f.sites, func(a, b site) int { return a.start - b.start })
	identify(f.sites)
	return slices.DeleteFunc(f.sites, func(s site) bool {
		return f.unread[s.start] && (s.kind == "number" || s.kind == "flag")
	}), nil
}

// A finder finds the sites of one file.
type finder struct {
	name   string
	source []byte
	file   *token.File
	in     string // what is looked at: a function, a variable
	sites  []site
	unread map[int]bool // the offsets of what is returned beside an error or false
}

// declaration notes the sites of a function, or of what else is declared together.
func (f *finder) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		f.in = d.Name.Name
		ast.Inspect(d, f.visit)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				f.in = spec.Names[0].Name
			case *ast.TypeSpec:
				f.in = spec.Name.Name
			}
			f.tables(spec)
			ast.Inspect(spec, f.visit)
		}
	}
}

func (f *finder) offset(p token.Pos) int { return f.file.Offset(p) }

func (f *finder) text(start, end token.Pos) string {
	return string(f.source[f.offset(start):f.offset(end)])
}

// add notes a site: what stands from start to end is replaced.
func (f *finder) add(kind string, start, end token.Pos, with string) {
	f.sites = append(f.sites, site{
		file: f.name, line: f.file.Line(start), in: f.in, kind: kind,
		start: f.offset(start), end: f.offset(end), was: f.text(start, end), with: with,
		from: f.offset(start), to: f.offset(end), begins: f.file.Line(start),
	})
}

// visit notes the sites of one node. It is for [ast.Inspect].
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.negate(n.Cond)
		}
	case *ast.SwitchStmt:
		f.cases(n)
	case *ast.BinaryExpr:
		f.operator(n)
	case *ast.BasicLit:
		if n.Kind == token.INT {
			f.add("number", n.Pos(), n.End(), "("+n.Value+"+1)")
		}
	case *ast.Ident:
		if with := map[string]string{"true": "false", "false": "true"}[n.Name]; with != "" {
			f.add("flag", n.Pos(), n.End(), with)
		}
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.FuncDecl:
		f.results(n.Type, n.Body)
	case *ast.FuncLit:
		f.results(n.Type, n.Body)
	case *ast.ArrayType, *ast.ImportSpec, *ast.Field:
		_, isField := n.(*ast.Field)
		return isField
	}
	return true
}

func (f *finder) negate(e ast.Expr) {
	f.add("condition", e.Pos(), e.End(), "!("+f.text(e.Pos(), e.End())+")")
}

// cases notes the conditions of a switch that compares nothing.
func (f *finder) cases(s *ast.SwitchStmt) {
	if s.Tag != nil {
		return
	}
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			f.negate(e)
		}
	}
}

// others are what stands for an operator that is changed.
var others = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.EQL: "!=", token.NEQ: "==", token.LAND: "||", token.LOR: "&&",
	token.ADD: "-", token.SUB: "+",
}

func (f *finder) operator(b *ast.BinaryExpr) {
	if with := others[b.Op]; with != "" {
		f.add("operator", b.OpPos, b.OpPos+token.Pos(len(b.Op.String())), with)
		s := &f.sites[len(f.sites)-1]
		s.from, s.to, s.begins = f.offset(b.Pos()), f.offset(b.End()), f.file.Line(b.Pos())
	}
}

// statements notes those that can be left out.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt:
			f.add("statement", s.Pos(), s.End(), "{}")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				f.add("statement", s.Pos(), s.End(), "{}")
			}
		}
	}
}

// results notes the errors that a function returns, and what stands beside one, or
// beside false, which nobody may read.
func (f *finder) results(t *ast.FuncType, body *ast.BlockStmt) {
	if body == nil || t.Results == nil || len(t.Results.List) == 0 {
		return
	}
	last, ok := t.Results.List[len(t.Results.List)-1].Type.(*ast.Ident)
	if !ok || last.Name != "error" && last.Name != "bool" {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			if len(n.Results) == t.Results.NumFields() {
				f.returned(n.Results, last.Name == "error")
			}
		}
		return true
	})
}

func (f *finder) returned(results []ast.Expr, isError bool) {
	last := results[len(results)-1]
	name, isName := last.(*ast.Ident)
	switch {
	case isError && isName && name.Name == "nil":
		return
	case isError:
		f.add("error", last.Pos(), last.End(), "nil")
	case !isName || name.Name != "false":
		return
	}
	for _, e := range results[:len(results)-1] {
		f.unread[f.offset(e.Pos())] = true
	}
}

// tables notes the entries of tables that are declared outside functions.
func (f *finder) tables(s ast.Spec) {
	ast.Inspect(s, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if !ok {
			_, isFunc := n.(*ast.FuncLit)
			return !isFunc
		}
		switch t := c.Type.(type) {
		case *ast.MapType:
			f.entries(c.Elts)
		case *ast.ArrayType:
			if _, counted := t.Len.(*ast.BasicLit); !counted {
				f.entries(c.Elts)
			}
		}
		return true
	})
}

func (f *finder) entries(elements []ast.Expr) {
	for i, e := range elements {
		switch {
		case i+1 < len(elements):
			f.add("entry", e.Pos(), elements[i+1].Pos(), "")
		case i > 0:
			f.add("entry", elements[i-1].End(), e.End(), "")
		default:
			f.add("entry", e.Pos(), e.End(), "")
		}
	}
}
