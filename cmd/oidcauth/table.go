package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cellWidth is where the text of a table's cell is broken into lines.
const cellWidth = 44

// table is text in columns.
type table struct {
	head []string
	rows [][]string
}

// add appends a row, made safe to print.
func (t *table) add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = printable(cell)
	}
	t.rows = append(t.rows, row)
}

// write prints the table, long cells over several lines.
func (t *table) write(w io.Writer) {
	var lines [][]string
	for _, row := range append([][]string{t.head}, t.rows...) {
		lines = append(lines, splitRow(row)...)
	}
	widths := make([]int, len(t.head))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var out strings.Builder
		for i, cell := range line {
			out.WriteString(cell)
			out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(w, strings.TrimRight(out.String(), " "))
	}
}

// splitRow returns the lines that a row takes.
func splitRow(row []string) [][]string {
	cells := make([][]string, len(row))
	height := 1
	for i, cell := range row {
		cells[i] = strings.Split(wrap(cell, cellWidth), "\n")
		height = max(height, len(cells[i]))
	}
	lines := make([][]string, height)
	for n := range lines {
		lines[n] = make([]string, len(row))
		for i := range row {
			if n < len(cells[i]) {
				lines[n][i] = cells[i][n]
			}
		}
	}
	return lines
}

// wrap breaks text into lines of at most width characters, where it has spaces
// if it can be.
func wrap(text string, width int) string {
	var lines []string
	var line []rune
	for _, field := range strings.Fields(text) {
		word := []rune(field)
		switch {
		case len(line) == 0:
			line = word
		case len(line)+1+len(word) <= width:
			line = append(append(line, ' '), word...)
		default:
			lines = append(lines, string(line))
			line = word
		}
		for len(line) > width {
			lines = append(lines, string(line[:width]))
			line = line[width:]
		}
	}
	if len(line) > 0 {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\n")
}

// indent puts prefix before every line of text that is not empty.
func indent(text, prefix string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = prefix + line
		}
	}
	return strings.Join(lines, "\n")
}

// printable escapes what could change what a terminal shows: control
// characters, invisible ones, and bytes that are not UTF-8. A token's maker
// chooses some of the texts that the command prints.
func printable(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&out, `\x%02x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out.String()
}
