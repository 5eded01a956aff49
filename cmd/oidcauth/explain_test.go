package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// lab is an issuer whose keys stand in a configuration file, so that nothing
// is fetched, and whose tokens look the same in every run but for signatures.
type lab struct {
	iss    *oidctest.Issuer
	config string
}

func newLab(t *testing.T) lab {
	t.Helper()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.RemoveKeys()
	key := iss.NewKey(oidctest.KeyConfig{ID: "key-1"})
	iss.Publish(key)
	iss.SignWith(key)
	text, err := json.Marshal(map[string]any{"issuers": []oidcauth.Issuer{{
		URL: iss.URL(), Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{JWKS: iss.KeySet()},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return lab{iss, writeFile(t, "config.json", string(text))}
}

// explain runs the command with the token on standard input.
func (l lab) explain(t *testing.T, token string, flags ...string) result {
	t.Helper()
	return invoke(t, token, append([]string{"explain", "--config", l.config}, flags...)...)
}

// TestExplain holds the printed reports to golden files. It runs in a bubble,
// where it is always the same time.
func TestExplain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		code  int
		token func(*oidctest.Issuer) string
	}{
		{"accepted", 0, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}})
		}},
		{"expired", 1, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": "my-db", "exp": time.Now().Add(-time.Hour).Unix()})
		}},
		{"another audience", 1, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": []string{"shop", "mail"}})
		}},
		{"another issuer", 1, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": "my-db", "iss": "https://issuer.test/"})
		}},
		{"forged", 1, func(i *oidctest.Issuer) string {
			return i.NewKey(oidctest.KeyConfig{ID: "key-1"}).Token(map[string]any{"aud": "my-db"})
		}},
		{"unknown key", 1, func(i *oidctest.Issuer) string {
			return i.NewKey(oidctest.KeyConfig{ID: "key-2"}).Token(map[string]any{"aud": "my-db"})
		}},
		{"several faults", 1, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": "shop", "exp": 1, "nbf": time.Now().Add(time.Hour).Unix()})
		}},
		{"terminal codes", 0, func(i *oidctest.Issuer) string {
			return i.Token(map[string]any{"aud": "my-db", "sub": "a\x1b[31mb\u202ec\r\nd"})
		}},
		{"not a token", 1, func(*oidctest.Issuer) string { return "0123456789abcdef" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t)
			synctest.Test(t, func(t *testing.T) {
				got := l.explain(t, test.token(l.iss))
				if got.code != test.code || got.err != "" {
					t.Errorf("exit code = %d, want %d; standard error: %q", got.code, test.code, got.err)
				}
				golden(t, "explain-"+strings.ReplaceAll(test.name, " ", "-"), got.out)
			})
		})
	}
}

func TestExplain_Json(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, test := range []struct {
		audience string
		accepted bool
		verdict  string
	}{{"my-db", true, "passed"}, {"shop", false, "failed"}} {
		got := l.explain(t, l.iss.Token(map[string]any{"aud": test.audience}), "--json")
		var report reportJSON
		if err := json.Unmarshal([]byte(got.out), &report); err != nil {
			t.Fatalf("%v in %s", err, got.out)
		}
		if report.Accepted != test.accepted || (got.code == 0) != test.accepted {
			t.Errorf("accepted = %t with exit code %d, want %t", report.Accepted, got.code, test.accepted)
		}
		if (report.Identity != "") != test.accepted || (report.Error == "") != test.accepted {
			t.Errorf("identity %q and error %q do not fit accepted = %t", report.Identity, report.Error, test.accepted)
		}
		found := false
		for _, step := range report.Steps {
			if step.Check == "audience" {
				found = step.Verdict == test.verdict && (step.Advice == "") == test.accepted && strings.Contains(step.Advice, "--audience") == !test.accepted
			}
		}
		if !found {
			t.Errorf("no fitting step for the audience in %+v", report.Steps)
		}
	}
}

func TestExplain_WhereTheTokenComesFrom(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	token := l.iss.Token(map[string]any{"aud": "my-db"})
	const note, seen = "took off the \"Bearer \"", "others can see a token on the command line"
	for _, test := range []struct {
		name  string
		stdin string
		args  []string
		code  int
		says  string // on standard error
	}{
		{"standard input", token, nil, 0, ""},
		{"standard input with a line end", token + "\n", nil, 0, ""},
		{"standard input with a line end of Windows", token + "\r\n", nil, 0, ""},
		{"a dash", token, []string{"-"}, 0, ""},
		{"an argument", "", []string{token}, 0, seen},
		{"an argument goes before standard input", "x", []string{token}, 0, seen},
		{"an argument before a dash", token, []string{token, "-"}, 2, "want one token at most"},
		{"an argument after two dashes", "", []string{"--", token}, 0, seen},
		{"an argument that names a file", token, []string{"token.txt"}, 1, "--token-file"},
		{"pasted with its scheme", "Bearer " + token, nil, 0, note},
		{"pasted with its scheme in small letters", "bearer " + token, nil, 0, note},
		{"an argument with its scheme", "", []string{"Bearer " + token}, 0, note},
		{"two line ends", token + "\n\n", nil, 1, ""},
		{"a space before it", " " + token, nil, 1, ""},
		{"the scheme twice", "Bearer Bearer " + token, nil, 1, note},
		{"nothing", "", nil, 2, "no token"},
		{"a line end", "\n", nil, 2, "no token"},
		{"the scheme alone", "Bearer ", nil, 2, "no token"},
		{"two arguments", "", []string{token, token}, 2, "want one token at most"},
		{"two dashes", token, []string{"-", "-"}, 2, "want one token at most"},
		{"more than anybody would paste", strings.Repeat("a", longestInput+1), nil, 1, "more than 1 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newConsole(t, token)
			args := append([]string{"explain", "--config", l.config}, test.args...)
			code := run(t.Context(), args, strings.NewReader(test.stdin), &c.out, &c.err)
			if code != test.code {
				t.Errorf("exit code = %d, want %d; printed %s%s", code, test.code, &c.out, &c.err)
			}
			said := c.err.String()
			if test.says == "" && said != "" || !strings.Contains(said, test.says) {
				t.Errorf("standard error = %q, want it to say %q", said, test.says)
			}
		})
	}
}

func TestExplain_UnreadableInput(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"explain", "--config", l.config}, iotest.ErrReader(fmt.Errorf("torn")), &out, &errs)
	if code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "standard input: torn") {
		t.Errorf("exit code = %d, printed %q and %q", code, &out, &errs)
	}
}

// TestExplain_Interrupted: whoever is asked for a token can leave.
func TestExplain_Interrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	in, open := io.Pipe()
	defer open.Close()
	ctx, cancel := context.WithCancel(t.Context())
	waits := readerFunc(func(p []byte) (int, error) {
		cancel()
		return in.Read(p)
	})
	var out, errs bytes.Buffer
	code := run(ctx, []string{"explain", "--config", l.config}, waits, &out, &errs)
	if code != exitFailed || out.Len() > 0 || !strings.Contains(errs.String(), "standard input: context canceled") {
		t.Errorf("exit code = %d, printed %q and %q", code, &out, &errs)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestExplain_AtATerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	device, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"explain", "--config", l.config}, device, &out, &errs)
	if code != 2 || out.Len() > 0 || !strings.Contains(errs.String(), "paste the token") {
		t.Errorf("exit code = %d, printed %q and %q", code, &out, &errs)
	}
}

func TestExplain_NeverPrintsTheToken(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	claims := map[string]any{"aud": "my-db"}
	good := l.iss.Token(claims)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	tokens := map[string]string{
		"two parts":           header + "." + payload,
		"four parts":          good + "." + signature,
		"no signature":        header + "." + payload + ".",
		"header as payload":   header + "." + header + "." + signature,
		"payload as header":   payload + "." + payload + "." + signature,
		"signature as header": signature + "." + payload + "." + signature,
		"a token as key ID":   l.iss.Sign(map[string]any{"alg": "ES256", "kid": "x"}, map[string]any{"iss": l.iss.URL()}),
		"white space inside":  header + ". " + payload + "." + signature,
		"a quote around it":   `"` + good + `"`,
	}
	for _, forgery := range l.iss.Key().Forgeries(claims) {
		tokens[forgery.Name] = forgery.Token
	}
	for name, token := range tokens {
		for _, flags := range [][]string{nil, {"--json"}} {
			c := newConsole(t, token, good)
			args := append([]string{"explain", "--config", l.config}, flags...)
			if code := run(t.Context(), args, strings.NewReader(token), &c.out, &c.err); code != 1 {
				t.Errorf("%s: exit code = %d, want 1", name, code)
			}
		}
	}
}

func TestExplain_IssuerDown(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	got := invoke(t, iss.Token(map[string]any{"aud": "my-db"}), "explain",
		"--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http")
	if got.code != 1 || !strings.Contains(got.out, "says nothing about the token") {
		t.Errorf("exit code = %d, printed %s", got.code, got.out)
	}
}

// TestFlagFor: what is named for each setting is a flag of explain, or a member of an
// issuer in the file.
func TestFlagFor(t *testing.T) {
	t.Parallel()
	help := invoke(t, "", "explain", "--help").out
	members, err := json.Marshal(oidcauth.Issuer{
		Aliases: []string{"a"}, Audiences: []string{"a"}, TokenTypes: []string{"a"}, Algorithms: []string{"a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string][]string{
		"Issuers":    {"--issuer", `"url"`, `"aliases"`},
		"Audiences":  {"--audience", `"audiences"`},
		"TokenTypes": {"--token-type", `"token_types"`},
		"Algorithms": {`"algorithms"`},
		"Leeway":     {"--leeway"},
		"":           nil,
	} {
		got := flagFor(setting)
		if (got == "") != (want == nil) {
			t.Errorf("%s: got %q", setting, got)
		}
		for _, name := range want {
			if !strings.Contains(got, name) || !strings.Contains(help+string(members), name) {
				t.Errorf("%s: got %q, want %s in it and in the command", setting, got, name)
			}
		}
	}
}

// TestExplain_Binding: who has a token that is bound, where nobody takes a proof, is sent
// to the settings for that, in the words of the file, and to no other type of token.
func TestExplain_Binding(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for what, cnf := range map[string]any{
		"a key": map[string]any{"jkt": strings.Repeat("A", 43)}, "a certificate": map[string]any{"x5t#S256": strings.Repeat("A", 43)},
		"something unknown": map[string]any{"kid": "a"}, "nothing": "a",
	} {
		token := l.iss.Token(map[string]any{"aud": "my-db", "cnf": cnf})
		for _, flags := range [][]string{nil, {"--json"}} {
			got := l.explain(t, token, flags...)
			text := strings.Join(strings.Fields(strings.ReplaceAll(got.out, `\"`, `"`)), " ")
			if got.code != 1 || !strings.Contains(text, `"dpop" in the file takes the proofs of keys, "client_certificates" in the file those of certificates`) ||
				strings.Contains(text, "--token-type") || strings.Contains(text, "Config.") || strings.Contains(text, "Issuer.") {
				t.Errorf("bound to %s, with %v: exit code %d, %s", what, flags, got.code, text)
			}
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tab := table{head: []string{"A", "LONGER"}}
	tab.add("é\n", strings.Repeat("x", cellWidth)+" y")
	tab.add("", "z")
	var out strings.Builder
	tab.write(&out)
	want := "A      LONGER\né\\x0a  " + strings.Repeat("x", cellWidth) + "\n       y\n       z\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ASCII, %":    "plain ASCII, %",
		"日本 é":              "日本 é",
		"\x1b[2J\r\n\t\x00": `\x1b[2J\x0d\x0a\x09\x00`,
		"a\u202eb\u200bc":   `a\u202eb\u200bc`,
		"\xff\xfe":          `\xff\xfe`,
		"\u0085\u2028":      `\u0085\u2028`,
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestExplain_LikeServe: with the file of a server a token is judged as there, by what the
// file says of all issuers, too.
func TestExplain_LikeServe(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(`{"max_token_lifetime": "24h", "max_token_bytes": 2000, "leeway": "1m", "issuers": [%s]}`, described(iss, "")))
	s := serve(t, "--config", file)
	now := time.Now()
	for name, claims := range map[string]map[string]any{
		"a token like all others":          {},
		"a token that lives for long":      {"exp": now.Add(48 * time.Hour).Unix()},
		"a long token":                     {"more": strings.Repeat("x", 2000)},
		"a token that ended a moment ago":  {"exp": now.Add(-45 * time.Second).Unix()},
		"a token that ended two hours ago": {"exp": now.Add(-2 * time.Hour).Unix()},
		"a token of somebody elsewhere":    {"iss": "https://elsewhere.example"},
	} {
		claims["aud"] = "my-db"
		token := iss.Token(claims)
		served, told := s.get(t, "/v1/whoami", token).status == 200, invoke(t, token, "explain", "--config", file).code == exitOK
		if served != told {
			t.Errorf("%s: serve accepts it: %t, explain says so: %t", name, served, told)
		}
	}
}
