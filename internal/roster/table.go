package roster

// A Table finds descriptions by the name of their issuer. It is made with Add and
// never changes afterwards. The zero value is empty.
type Table[T any] struct {
	byName    map[string][]T
	templates []template[T]
	names     []string
}

type template[T any] struct {
	url          string
	match        func(string) bool
	descriptions []T
}

// Add makes the next description findable: as that of a new issuer, or as one more
// of an issuer that has been added.
func (t *Table[T]) Add(d *Description, made T) {
	if t.byName == nil {
		t.byName = map[string][]T{}
	}
	if _, more := t.byName[d.URL]; !more {
		t.names = append(append(t.names, d.URL), d.Aliases...)
		if d.Match != nil {
			t.templates = append(t.templates, template[T]{url: d.URL, match: d.Match})
		}
	}
	all := append(t.byName[d.URL], made)
	for _, name := range append([]string{d.URL}, d.Aliases...) {
		t.byName[name] = all
	}
	for i := range t.templates {
		if t.templates[i].url == d.URL {
			t.templates[i].descriptions = all
		}
	}
}

// Find returns the descriptions of the issuer that bears a name: exactly, or else
// of the first template that stands for it. It is nil if there are none.
func (t *Table[T]) Find(name string) []T {
	if found := t.byName[name]; found != nil {
		return found
	}
	for i := range t.templates {
		if t.templates[i].match(name) {
			return t.templates[i].descriptions
		}
	}
	return nil
}

// Named is Find without templates, but for the name of the template itself.
func (t *Table[T]) Named(name string) []T { return t.byName[name] }

// Names returns the names of all issuers, which must not be changed.
func (t *Table[T]) Names() []string { return t.names }
