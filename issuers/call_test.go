package issuers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
)

// functions are the package's functions by name, so that the table can be
// written in the words of its documentation.
var functions = map[string]any{
	"Apple": issuers.Apple, "Auth0Access": issuers.Auth0Access, "Auth0ID": issuers.Auth0ID,
	"Authentik": issuers.Authentik, "BetterAuth": issuers.BetterAuth, "Clerk": issuers.Clerk,
	"CloudflareAccess": issuers.CloudflareAccess, "CognitoAccess": issuers.CognitoAccess,
	"CognitoID": issuers.CognitoID, "Dex": issuers.Dex, "Discord": issuers.Discord,
	"EntraMulti": issuers.EntraMulti, "EntraSingleV1": issuers.EntraSingleV1, "EntraSingleV2": issuers.EntraSingleV2,
	"FacebookLimitedLogin": issuers.FacebookLimitedLogin, "Firebase": issuers.Firebase,
	"GitHubActions": issuers.GitHubActions, "GitLabCI": issuers.GitLabCI, "GitLabUser": issuers.GitLabUser,
	"Google": issuers.Google, "GoogleServiceAccount": issuers.GoogleServiceAccount,
	"KeycloakID": issuers.KeycloakID,
	"Keycloak":   issuers.Keycloak, "Kubernetes": issuers.Kubernetes, "Okta": issuers.Okta,
	"SpringAccess": issuers.SpringAccess, "SpringID": issuers.SpringID,
	"SpringService": issuers.SpringService, "LemonLDAPAccess": issuers.LemonLDAPAccess, "LemonLDAPService": issuers.LemonLDAPService,
	"LemonLDAPID": issuers.LemonLDAPID, "RFC9068": issuers.RFC9068, "RFC9068Service": issuers.RFC9068Service,
	"DjangoOAuthToolkit": issuers.DjangoOAuthToolkit, "SPIRE": issuers.SPIRE, "BitbucketPipelines": issuers.BitbucketPipelines,
	"CircleCI": issuers.CircleCI, "Buildkite": issuers.Buildkite, "CloudIAP": issuers.CloudIAP,
	"FirebaseAppCheck": issuers.FirebaseAppCheck, "LINE": issuers.LINE, "PingFederate": issuers.PingFederate,
	"ADFS": issuers.ADFS, "AzureB2C": issuers.AzureB2C,
	"OryHydra": issuers.OryHydra, "OryHydraService": issuers.OryHydraService, "SpacetimeAuth": issuers.SpacetimeAuth, "Supabase": issuers.Supabase,
	"Twitch": issuers.Twitch, "WorkOS": issuers.WorkOS, "Zitadel": issuers.Zitadel,
}

// name returns the name of the function.
func (p provider) name() string {
	name, _, _ := strings.Cut(p.call, "(")
	return name
}

// issuer makes the call.
func (p provider) issuer(t testing.TB) oidcauth.Issuer {
	t.Helper()
	return call(t, p.call)
}

// call calls one of the functions with string arguments: `Dex("a", "b")`.
func call(t testing.TB, text string) oidcauth.Issuer {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c, ok := expr.(*ast.CallExpr)
	if !ok {
		t.Fatalf("%s: not a call", text)
	}
	function, known := functions[c.Fun.(*ast.Ident).Name]
	if !known {
		t.Fatalf("%s: no such function", text)
	}
	var args []reflect.Value
	for _, arg := range c.Args {
		s, err := strconv.Unquote(arg.(*ast.BasicLit).Value)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		args = append(args, reflect.ValueOf(s))
	}
	return reflect.ValueOf(function).Call(args)[0].Interface().(oidcauth.Issuer)
}

// Every function of the package has its row in the table, and so its place in
// all tests and in the documentation.
func TestProviders_Complete(t *testing.T) {
	t.Parallel()
	rows := make(map[string]int)
	for _, p := range providers {
		rows[p.name()]++
	}
	found := 0
	for _, f := range exportedFunctions(t) {
		found++
		if rows[f.Name.Name] != 1 || functions[f.Name.Name] == nil {
			t.Errorf("%s has %d rows in the table, want 1", f.Name.Name, rows[f.Name.Name])
		}
		if !strings.Contains(f.Doc.Text(), "dentity") || !strings.Contains(f.Doc.Text(), "oken") {
			t.Errorf("the documentation of %s does not say what token to send and what the identity rests on", f.Name.Name)
		}
	}
	if found == 0 || found != len(providers) {
		t.Errorf("found %d functions and %d rows", found, len(providers))
	}
}

// exportedFunctions reads the package's own files.
func exportedFunctions(t *testing.T) []*ast.FuncDecl {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var functions []*ast.FuncDecl
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.IsExported() {
				functions = append(functions, f)
			}
		}
	}
	return functions
}
