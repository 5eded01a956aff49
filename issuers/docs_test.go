package issuers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

var update = flag.Bool("update", false, "write the generated parts of docs/providers.md")

// The table and the examples of the documentation are what the tests say, no
// more and no less.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "docs", "providers.md")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := replaceBlock(t, string(old), "table", table(t))
	for _, p := range providers {
		text = replaceBlock(t, text, p.name(), p.example(t))
	}
	if text == string(old) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: run go test ./issuers -update", name)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replaceBlock puts a text between the two comments that bear the name.
func replaceBlock(t *testing.T, text, name, block string) string {
	t.Helper()
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
	if strings.Count(text, begin) != 1 || strings.Count(text, end) != 1 {
		t.Fatalf("want %q and %q once each", begin, end)
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatalf("%q comes before %q", end, begin)
	}
	return before + begin + block + end + after
}

// table runs the tests' tokens again and counts.
func table(t *testing.T) string {
	t.Helper()
	w := newWorld(t)
	var b strings.Builder
	b.WriteString("| function | document | accepts | refuses | tried |\n|---|---|---|---|---|\n")
	for _, p := range providers {
		issuer := p.issuer(t)
		a := w.authenticator(t, p, issuer)
		accepted, refused := 0, 0
		for name := range p.accepts {
			if _, err := a.Authenticate(t.Context(), w.sign(t, sampleOf(t, p.tokens, name))); err == nil {
				accepted++
			}
		}
		for _, l := range lookalikes {
			if l.call != p.name() || l.want == nil {
				continue
			}
			token := w.sign(t, sampleOf(t, p.tokens, l.sample).changed(l.header, l.change))
			if _, err := a.Authenticate(t.Context(), token); errors.Is(err, l.want) {
				refused++
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %d | %d | %s |\n", p.name(), p.documentState(issuer), accepted, refused, p.tried(t))
	}
	return b.String()
}

func (p provider) documentState(i oidcauth.Issuer) string {
	switch {
	case i.Keys.JWKSURL != "":
		return "not used"
	case p.document != "":
		return "read"
	}
	return "made up"
}

// tried is "real server" where a test in interop makes the call.
func (p provider) tried(t *testing.T) string {
	t.Helper()
	tests, err := filepath.Glob(filepath.Join("..", "interop", "*", "*_test.go"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests in interop: %v", err)
	}
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("issuers."+p.name()+"(")) {
			return "real server"
		}
	}
	if p.real == "" {
		return "documents only"
	}
	return p.real
}

// example shows the line of Go and the command, with a file where its flags
// cannot say what the description does.
func (p provider) example(t *testing.T) string {
	t.Helper()
	issuer := p.issuer(t)
	var b strings.Builder
	fmt.Fprintf(&b, "```go\nissuers.%s\n```\n\n", p.call)
	if flagsSuffice(issuer) {
		arguments := commandFlags(issuer)
		fmt.Fprintf(&b, "```sh\noidcauth serve%s\noidcauth explain%s < token\n```\n", arguments, arguments)
		return b.String()
	}
	file := strings.ToLower(p.name()) + ".json"
	fmt.Fprintf(&b, "```sh\noidcauth serve --config %s\noidcauth explain --config %s < token\n```\n\n", file, file)
	fmt.Fprintf(&b, "`%s`:\n\n```json\n%s```\n", file, configFile(t, issuer))
	return b.String()
}

// flagsSuffice reports whether the flags say all that keeps tokens out. Roles are
// of no use to the command, and it narrows the algorithms by the keys.
func flagsSuffice(i oidcauth.Issuer) bool {
	rest := i
	rest.URL, rest.Audiences, rest.TokenTypes, rest.Algorithms, rest.Roles = "", nil, nil, nil, nil
	rest.RoleSeparator, rest.RoleObjects = "", false
	return reflect.DeepEqual(rest, oidcauth.Issuer{})
}

func commandFlags(i oidcauth.Issuer) string {
	var b strings.Builder
	add := func(name, value string) { fmt.Fprintf(&b, " \\\n    --%s %s", name, shellWord(value)) }
	add("issuer", i.URL)
	for _, audience := range i.Audiences {
		add("audience", audience)
	}
	for _, typ := range i.TokenTypes {
		add("token-type", typ)
	}
	return b.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@+=-]+$`)

func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func configFile(t *testing.T, i oidcauth.Issuer) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"issuers": []oidcauth.Issuer{i}}); err != nil {
		t.Fatal(err)
	}
	return oneLine(b.String())
}

// oneLine joins lists of plain values that stand on several lines.
func oneLine(text string) string {
	list := regexp.MustCompile(`\[\s+("[^"\]]*"(?:,\s+"[^"\]]*")*)\s+\]`)
	return list.ReplaceAllStringFunc(text, func(s string) string {
		s = regexp.MustCompile(`\s*\n\s*`).ReplaceAllString(s, " ")
		return strings.Replace(strings.Replace(s, "[ ", "[", 1), " ]", "]", 1)
	})
}
