package members

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistakes are all that is wrong with a file, as an error.
type Mistakes []Mistake

// A Mistake is one of them.
type Mistake struct {
	Line int    // from 1; zero if it is of no line
	Path string // of the member, as "issuers[1].keys.jwks_url"; empty for the whole
	Text string // what is wrong with it
}

// String returns it as one line.
func (m Mistake) String() string {
	var out strings.Builder
	if m.Line > 0 {
		fmt.Fprintf(&out, "line %d: ", m.Line)
	}
	if m.Path != "" {
		out.WriteString(m.Path + ": ")
	}
	return out.String() + m.Text
}

// Error returns a line for each.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "\n")
}

// add notes a mistake at an offset of the file; less than zero is none.
func (m *Mistakes) add(data []byte, offset int, path, text string) {
	line := 0
	if offset >= 0 {
		line = 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
	}
	*m = append(*m, Mistake{line, path, text})
}

// inOrder sorts them as they stand in the file, and returns them as an error, or nil
// if there are none.
func (m Mistakes) inOrder() error {
	if len(m) == 0 {
		return nil
	}
	slices.SortStableFunc(m, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
	return m
}
