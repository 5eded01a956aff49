package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hidden"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oauthbearer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
	"github.com/oidcauth/oidcauth/spacetime"
)

// harmless are the exported structs that are given no secret and have none, and those
// that tests alone have.
var harmless = []string{
	"oidcauth.AnyIssuer", "oidcauth.ClaimRule", "oidcauth.KeysFrom", "oidcauth.Revocation",
	"authtrace.Hooks", "explain.KeySet", "explain.Key", "explain.Step", "oauthbearer.Challenge",
	"oidctest.Caching", "oidctest.Config", "oidctest.Fault", "oidctest.Fetch", "oidctest.Fetches", "oidctest.Forgery",
	"oidctest.Issuer", "oidctest.Key", "oidctest.KeyConfig", "oidctest.Prover", "oidctest.Sample",
	"revocationtest.Store",
}

// asGiven are those whose exported fields have a secret as their program gave it. Package
// fmt prints these where such a value stands in a field that is not exported: it calls no
// method there.
var asGiven = []string{"dpop.Config", "dpop.Use", "introspect.Config", "localissuer.Config", "oauthbearer.Request", "possession.Proof"}

// verbs are those of package fmt by which anything may be printed.
var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"}

// A holder is a value of an exported type that was given secrets, or knows some.
type holder struct {
	of    string
	value any
}

// Whoever prints a value of an exported type, or logs it, shows no secret that it holds:
// in their configuration, in what New made of it, and in what a request leaves behind.
func TestPrinted(t *testing.T) {
	t.Parallel()
	secrets := &known{forms: make(map[uint64][]leak)}
	holders := holders(t, func(kind, secret string) { secrets.add(kind, secret) })
	for _, h := range holders {
		forms := printedForms(t, h.value)
		if !slices.Contains(asGiven, h.of) {
			for _, verb := range verbs {
				forms[verb+" in a field that is not exported"] = fmt.Sprintf(verb, struct{ in any }{h.value})
			}
		}
		for form, text := range forms {
			for _, found := range append(find([]byte(text)), secrets.find([]byte(text))...) {
				t.Errorf("%s, printed by %s, shows a %s: %s", h.of, form, found.kind, report("x", found, text)[0])
			}
		}
	}
	for _, name := range exportedStructs(t) {
		known := slices.ContainsFunc(holders, func(h holder) bool { return h.of == name })
		if known == slices.Contains(harmless, name) {
			t.Errorf("%s is no holder of secrets and not harmless either, or both: add it to one of them", name)
		}
	}
}

// A value that shows what it has is found, so that the above can fail.
func TestPrinted_Planted(t *testing.T) {
	t.Parallel()
	secrets := &known{forms: make(map[uint64][]leak)}
	const secret = "correct horse battery staple"
	secrets.add("password", secret)
	type open struct{ Password []byte }
	type closed struct{ password []byte }
	for name, tt := range map[string]struct {
		value any
		forms int // that show it, at least
	}{
		"a field":              {open{[]byte(secret)}, 10},
		"one that is its own":  {&closed{[]byte(secret)}, 8},
		"one behind a pointer": {&struct{ in *closed }{&closed{[]byte(secret)}}, 2}, // by verbs that do not fit one
		"one that is hidden":   {&struct{ in *hidden.Value[string] }{new(hidden.Of(secret))}, 0},
	} {
		n := 0
		for _, text := range printedForms(t, tt.value) {
			if len(secrets.find([]byte(text))) > 0 {
				n++
			}
		}
		if n < tt.forms || tt.forms == 0 && n > 0 {
			t.Errorf("%s: %d forms show it, want %d at least, or none for 0", name, n, tt.forms)
		}
	}
}

// printedForms returns what a value is printed as.
func printedForms(t *testing.T, v any) map[string]string {
	t.Helper()
	forms := make(map[string]string)
	for _, verb := range verbs {
		forms[verb] = fmt.Sprintf(verb, v)
		forms[verb+" in a field"] = fmt.Sprintf(verb, struct{ In any }{v})
		forms[verb+" in a list"] = fmt.Sprintf(verb, []any{v})
	}
	if text, err := json.Marshal(v); err == nil {
		forms["JSON"] = string(text)
	}
	var b bytes.Buffer
	all := &slog.HandlerOptions{Level: slog.LevelDebug}
	slog.New(slog.NewTextHandler(&b, all)).Debug("x", "value", v, "group", slog.GroupValue(slog.Any("in", v)))
	forms["a line of text"] = b.String()
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, all)).Debug("x", "value", v, "group", slog.GroupValue(slog.Any("in", v)))
	forms["a line of JSON"] = b.String()
	return forms
}

// holders returns values of each type. It tells note about the secrets that they have
// and that no form tells.
func holders(t *testing.T, note func(kind, secret string)) []holder {
	t.Helper()
	fresh := func(kind string) string {
		secret := said.NewSecret(kind)
		note(kind, secret)
		return secret
	}
	var all []holder
	hold := func(of string, values ...any) {
		for _, v := range values {
			all = append(all, holder{of, v})
		}
	}

	proofs := dpop.Config{InsecureAnyHost: true, Nonces: true, NonceKey: []byte(fresh("nonce key"))}
	verifier, err := dpop.New(proofs)
	must(t, err)
	hold("dpop.Config", proofs, &proofs)
	hold("dpop.Verifier", verifier)

	asking := introspect.Config{Endpoint: "https://issuer.test/introspect", ClientID: "db", ClientSecret: fresh("client's secret")}
	ask, err := introspect.New(asking)
	must(t, err)
	hold("introspect.Config", asking, &asking)

	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	prover := oidctest.NewProver(t, "")
	key := authtest.NewKey(t)
	for _, form := range said.FormsOf(key) {
		note("private key", form)
	}
	signing := localissuer.Config{URL: "localhost", Audiences: []string{authtest.Audience}, Signer: key, TicketSecret: []byte(fresh("secret of tickets"))}
	hold("localissuer.Config", signing, &signing)
	local := authtest.NewLocal(t, signing)
	kept := authtest.NewLocal(t, localissuer.Config{URL: "kept.test", Dir: filepath.Join(t.TempDir(), "keys")})
	must(t, kept.Rotate(t.Context())) // which leaves the secret of a former key
	for _, secret := range authtest.SecretsIn(t, kept) {
		note("secret of a key directory", secret)
	}
	hold("localissuer.Issuer", local, kept)
	for _, k := range append(local.Keys(), kept.Keys()...) {
		hold("localissuer.Key", k)
	}

	opaque := oidcauth.Issuer{URL: "https://opaque.test", Audiences: []string{authtest.Audience}, Introspect: ask, OpaquePrefix: oidctest.OpaquePrefix}
	opaque.Introspect = func(_ context.Context, token string) (json.RawMessage, error) {
		return json.RawMessage(`{"active":true,"iss":"https://opaque.test","sub":"alice","aud":"my-db","token_type":"Bearer","exp":4102444800}`), nil
	}
	more, moreTrusted := authtest.NewIssuer(t, oidctest.Config{URL: "https://more.test"})
	moreTrusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
		return json.RawMessage(`{"a":1}`), nil
	}
	moreTrusted.Keys.JWKS = more.KeySet()
	var decided []authtrace.Decision
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer(), kept.Issuer(), opaque, moreTrusted}, Client: issuer.Client(), DPoP: verifier,
		Trace: &authtrace.Hooks{Decided: func(_ context.Context, d authtrace.Decision) { decided = append(decided, d) }},
	}
	auth := authtest.NewAuthenticator(t, cfg)
	hold("oidcauth.Config", cfg, &cfg)
	hold("oidcauth.Authenticator", auth)
	for _, i := range cfg.Issuers {
		hold("oidcauth.Issuer", i, &i)
	}
	for _, source := range []oidcauth.KeySource{local, kept} {
		stop, err := source.Follow(func(k oidcauth.Keys) error { hold("oidcauth.Keys", k); return nil })
		must(t, err)
		stop()
	}

	tokens := []string{issuer.Token(nil), authtest.Issue(t, local, localissuer.Request{}), issuer.OpaqueToken(nil), more.Token(nil)}
	for _, token := range tokens {
		c := authtest.Authenticate(t, auth, token)
		s := auth.NewSession(t.Context(), c)
		t.Cleanup(s.Close)
		hold("oidcauth.Claims", c)
		hold("oidcauth.Session", s)
		hold("explain.Report", auth.Explain(t.Context(), token))
		hold("oauthbearer.Request", request(t, token))
	}
	counter := &authtest.Counter{T: t, Issuer: issuer, Local: local, Auth: auth}
	ticket := counter.Buy(tokens[0], authtest.Anywhere)
	c, err := counter.Use(ticket, authtest.Anywhere)
	must(t, err)
	hold("oidcauth.Claims", c)
	bound := issuer.Token(map[string]any{"cnf": map[string]any{"jkt": prover.Thumbprint()}})
	proof := possession.Proof{DPoP: prover.Proof("GET", "https://db.test/", bound, nil), Method: "GET", URL: "https://db.test/", Certificate: &x509.Certificate{}}
	hold("possession.Proof", proof, &proof)
	use := dpop.Use{Proof: proof.DPoP, Token: bound, Method: "GET", URL: "https://db.test/", Thumbprint: prover.Thumbprint()}
	hold("dpop.Use", use, &use)
	for _, token := range []string{tokens[0] + "x", tokens[0][:40], "x." + tokens[0], tokens[0], bound, ticket, oidctest.OpaquePrefix + "x", issuer.Token(map[string]any{"exp": 1})} {
		_, err := auth.Authenticate(possession.NewContext(t.Context(), proof), token)
		if err != nil {
			hold("oidcauth.Refusal", err)
		}
		_, err = counter.Use(token, authtest.Anywhere)
		hold("oidcauth.Refusal", err)
		hold("explain.Report", auth.Explain(t.Context(), token))
	}
	if len(decided) == 0 {
		t.Error("no decision was observed")
	}
	for _, d := range decided {
		hold("authtrace.Decision", d)
	}
	hold("localissuer.Request", localissuer.Request{Subject: "alice", Claims: map[string]any{"a": 1}})

	routes := spacetime.Config{Auth: auth, Local: local, RememberTokens: true}
	server, err := spacetime.New(routes)
	must(t, err)
	t.Cleanup(func() { server.Close(context.Background()) })
	r := httptest.NewRequest(http.MethodPost, "/v1/identity/websocket-token", nil)
	r.Header.Set("Authorization", "Bearer "+tokens[0])
	answer := httptest.NewRecorder()
	if server.ServeHTTP(answer, r); answer.Code != http.StatusOK {
		t.Errorf("no ticket was sold: status %d", answer.Code)
	}
	hold("spacetime.Config", routes, &routes)
	hold("spacetime.Server", server)
	hold("spacetime.Conn", &spacetime.Conn{Session: auth.NewSession(t.Context(), c)})
	for _, of := range []string{"authtrace.Session", "authtrace.Revocation", "authtrace.Missed", "authtrace.KeyFetch", "authtrace.KeyState"} {
		hold(of, []any{authtrace.Session{}, authtrace.Revocation{}, authtrace.Missed{}, authtrace.KeyFetch{}, authtrace.KeyState{}})
	}
	return all
}

// request is what a client of PostgreSQL's protocol sends.
func request(t *testing.T, bearer string) oauthbearer.Request {
	t.Helper()
	r, err := oauthbearer.Parse([]byte("n,,\x01auth=Bearer " + bearer + "\x01\x01"))
	must(t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exportedStructs returns the names of all structs that programs can use.
func exportedStructs(t *testing.T) (names []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(name, ".") || slices.Contains([]string{"internal", "adapters", "cmd", "examples", "benchmarks", "interop", "testdata", "docs", "findings"}, name)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				named, ok := spec.(*ast.TypeSpec)
				if ok && named.Name.IsExported() {
					if _, is := named.Type.(*ast.StructType); is {
						names = append(names, file.Name.Name+"."+named.Name.Name)
					}
				}
			}
		}
		return nil
	})
	must(t, err)
	if len(names) < 40 {
		t.Fatalf("%d structs found", len(names))
	}
	return names
}
