package members

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A node is one value of the file, and where it begins.
type node struct {
	offset  int
	raw     []byte
	value   any     // nil, bool, json.Number or string, or a json.Delim for what follows
	members []named // of an object
	items   []*node // of a list
}

// A named is a member of an object.
type named struct {
	name   string
	offset int
	value  *node
}

// kind says what the value is, in the words of a reader of the file.
func (n *node) kind() string {
	switch n.value.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	}
	if n.value == json.Delim('{') {
		return "an object"
	}
	return "a list"
}

// A parser reads a file into nodes. Names that come twice are mistakes and do not
// keep it from going on.
type parser struct {
	data     []byte
	dec      *json.Decoder
	mistakes *Mistakes
	depth    int
}

// maxDepth is how deep objects and lists may stand in each other: the settings need no
// ten, and each level has a path as long as itself.
const maxDepth = 64

// errDepth is the fault of a file that is deeper.
var errDepth = fmt.Errorf("objects and lists stand in each other, more than %d deep", maxDepth)

// parse reads data, which has to be one JSON object. With a fault of the JSON itself
// it returns nil, since nothing behind that could be understood.
func parse(data []byte, mistakes *Mistakes) *node {
	if !utf8.Valid(data) {
		mistakes.add(data, -1, "", "the file is not UTF-8")
		return nil
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		mistakes.add(data, -1, "", "the file begins with a byte order mark, want it without: save it as UTF-8 alone")
		return nil
	}
	p := &parser{data: data, dec: json.NewDecoder(bytes.NewReader(data)), mistakes: mistakes}
	p.dec.UseNumber()
	root, err := p.next("")
	switch {
	case err != nil:
		p.fault(err)
		return nil
	case root.value != json.Delim('{'):
		mistakes.add(data, root.offset, "", "got "+root.kind()+", want a JSON object")
		return nil
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		mistakes.add(data, int(p.dec.InputOffset()), "", "something follows the JSON object")
		return nil
	}
	return root
}

// fault words an error of package json.
func (p *parser) fault(err error) {
	var syntax *json.SyntaxError
	isSyntax := errors.As(err, &syntax)
	cut := isSyntax && strings.HasPrefix(syntax.Error(), "unexpected end of JSON input")
	switch {
	case cut || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		p.mistakes.add(p.data, len(p.data), "", "the JSON object does not end")
	case isSyntax:
		p.mistakes.add(p.data, int(min(syntax.Offset, int64(len(p.data)))), "", syntax.Error())
	default:
		p.mistakes.add(p.data, -1, "", strings.TrimPrefix(err.Error(), "json: "))
	}
}

// next reads one value, which stands at path.
func (p *parser) next(path string) (*node, error) {
	start := p.skip()
	token, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{offset: start, value: token}
	if p.depth++; p.depth > maxDepth {
		return nil, errDepth
	}
	defer func() { p.depth-- }()
	switch token {
	case json.Delim('{'):
		err = p.object(n, path)
	case json.Delim('['):
		err = p.list(n, path)
	}
	n.raw = p.data[start:p.dec.InputOffset()]
	return n, err
}

// object reads the rest of an object whose brace has been read.
func (p *parser) object(n *node, path string) error {
	seen := make(map[string]bool)
	for p.dec.More() {
		start := p.skip()
		token, err := p.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		value, err := p.next(under(path, name))
		if err != nil {
			return err
		}
		if seen[name] {
			p.mistakes.add(p.data, start, under(path, name), "it comes twice in one object")
			continue
		}
		seen[name] = true
		n.members = append(n.members, named{name, start, value})
	}
	_, err := p.dec.Token()
	return err
}

// list reads the rest of a list whose bracket has been read.
func (p *parser) list(n *node, path string) error {
	for p.dec.More() {
		value, err := p.next(fmt.Sprintf("%s[%d]", path, len(n.items)))
		if err != nil {
			return err
		}
		n.items = append(n.items, value)
	}
	_, err := p.dec.Token()
	return err
}

// skip returns where the next token begins: package json says where the last ended.
func (p *parser) skip() int {
	at := int(p.dec.InputOffset())
	for at < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[at]) >= 0 {
		at++
	}
	return at
}

// under returns the path of a member of the object at path.
func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
