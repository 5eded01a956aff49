package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// switchable tells whether a change can be compiled in, to be turned on by a test's
// process. An entry of a table cannot.
func (s site) switchable() bool { return s.kind != "entry" }

// An edit puts a text before what stands in a source.
type edit struct {
	start, end int // what it takes the place of; nothing if they are the same
	text       string
	closes     bool // belongs to what ends here, and not to what begins
	from, to   int  // of the change, for the order of those at one place
}

// edits are what compiles a change in, under a number. No line becomes another.
func (s site) edits(n int) []edit {
	around := func(before, after string) []edit {
		return []edit{
			{start: s.from, end: s.from, text: before, from: s.from, to: s.to},
			{start: s.to, end: s.to, text: after, closes: true, from: s.from, to: s.to},
		}
	}
	on := fmt.Sprintf("switches.On(%d)", n)
	between := func(name string) []edit {
		return append(around(fmt.Sprintf("switches.%s(%d, ", name, n), ")"), edit{start: s.start, end: s.end, text: ",", from: s.from, to: s.to})
	}
	switch s.kind {
	case "condition", "flag":
		return around("("+on+" != (", "))")
	case "number":
		return around(fmt.Sprintf("switches.Next(%d, ", n), ")")
	case "statement":
		return around("if !"+on+" { ", " }")
	case "error":
		return around("func() error { if "+on+" { return nil }; return ", " }()")
	}
	switch s.was {
	case "==", "!=":
		return around("("+on+" != (", "))")
	case "&&", "||":
		// By De Morgan's law, and so that each side is there once.
		return append(around("("+on+" != (("+on+" != (", "))))"),
			edit{start: s.start, end: s.end, text: ")) " + s.was + " (" + on + " != (", from: s.from, to: s.to})
	}
	return between(map[string]string{
		"<": "Less", "<=": "AtMost", ">": "Greater", ">=": "AtLeast", "+": "Plus", "-": "Minus",
	}[s.was])
}

// switched returns a source with changes compiled in, by their numbers.
func switched(source string, changes map[int]site) string {
	var all []edit
	for n, s := range changes {
		all = append(all, s.edits(n)...)
	}
	if len(all) == 0 {
		return source
	}
	slices.SortStableFunc(all, order)
	var out strings.Builder
	at := 0
	for _, e := range all {
		out.WriteString(source[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.WriteString(source[at:])
	return imported(out.String())
}

// order puts what ends at a place before what begins there, what is inside before what
// is around it at its end, and after it at its beginning.
func order(a, b edit) int {
	if c := cmp.Compare(a.start, b.start); c != 0 {
		return c
	}
	switch {
	case a.closes && b.closes:
		return cmp.Or(cmp.Compare(b.from, a.from), cmp.Compare(a.to, b.to), strings.Compare(b.text, a.text))
	case a.closes:
		return -1
	case b.closes:
		return 1
	}
	return cmp.Or(cmp.Compare(b.to, a.to), strings.Compare(a.text, b.text))
}

// imported adds the import, on the line of the package's name.
func imported(source string) string {
	for at := 0; ; {
		end := at + strings.IndexByte(source[at:], '\n')
		if strings.HasPrefix(source[at:], "package ") {
			return source[:end] + `; import "github.com/oidcauth/oidcauth/internal/mutation/switches"` + source[end:]
		}
		at = end + 1
	}
}
