package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

const discoveryDir = "../../testdata/discovery"

// providers says of each document in testdata/discovery what it must be read as.
var providers = map[string]struct {
	issuer, jwksURL string
	discoveryURL    string // if not below the issuer
	want            error
}{
	"apple.json": {issuer: "https://appleid.apple.com", jwksURL: "https://appleid.apple.com/auth/keys"},
	"authentik.json": {issuer: "https://authentik.example.com/application/o/romm/",
		jwksURL: "https://authentik.example.com/application/o/romm/jwks/"},
	"cognito.json": {issuer: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX",
		jwksURL: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX/.well-known/jwks.json"},
	"discord.json": {issuer: "https://discord.com", jwksURL: "https://discord.com/api/oauth2/keys"},
	"entra-common-v2.json": {issuer: "https://login.microsoftonline.com/{tenantid}/v2.0",
		jwksURL:      "https://login.microsoftonline.com/common/discovery/v2.0/keys",
		discoveryURL: "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"},
	"entra-tenant-v1.json": {issuer: "https://sts.windows.net/f24341ef-7a6f-4cff-abb7-99a11ab11127/",
		jwksURL:      "https://login.microsoftonline.com/common/discovery/keys",
		discoveryURL: "https://login.microsoftonline.com/f24341ef-7a6f-4cff-abb7-99a11ab11127/.well-known/openid-configuration"},
	"facebook-older.json": {issuer: "https://facebook.com", jwksURL: "https://facebook.com/.well-known/oauth/openid/jwks/"},
	"facebook.json":       {issuer: "https://www.facebook.com", jwksURL: "https://www.facebook.com/.well-known/oauth/openid/jwks/"},
	"github-actions.json": {issuer: "https://token.actions.githubusercontent.com",
		jwksURL: "https://token.actions.githubusercontent.com/.well-known/jwks"},
	"gitlab-com.json": {issuer: "https://gitlab.com", jwksURL: "https://gitlab.com/oauth/discovery/keys"},
	"google.json":     {issuer: "https://accounts.google.com", jwksURL: "https://www.googleapis.com/oauth2/v3/certs"},
	"keycloak-legacy-auth-path.json": {issuer: "http://keycloak.local.alerta.io:9090/auth/realms/master",
		jwksURL: "http://keycloak.local.alerta.io:9090/auth/realms/master/protocol/openid-connect/certs",
		want:    fetch.ErrURL}, // plain http to a host that is not loopback
	"kubernetes-static-s3style.json": {issuer: "https://raw.githubusercontent.com/Azure/azure-workload-identity/testing-manifests/",
		jwksURL: "https://raw.githubusercontent.com/Azure/azure-workload-identity/testing-manifests/openid/v1/jwks"},
	"okta-custom-default.json": {issuer: "https://oie-8764513.oktapreview.com/oauth2/default",
		jwksURL: "https://oie-8764513.oktapreview.com/oauth2/default/v1/keys"},
	"twitch.json":               {issuer: "https://id.twitch.tv/oauth2", jwksURL: "https://id.twitch.tv/oauth2/keys"},
	"zitadel-oidc-library.json": {issuer: "https://localhost:9998/", jwksURL: "https://localhost:9998/keys"},
}

// loadDocuments returns the documents by file name, and fails unless they are
// just those that the table knows.
func loadDocuments(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(discoveryDir, "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("%d documents in %s, error %v", len(files), discoveryDir, err)
	}
	docs := map[string][]byte{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		name := filepath.Base(file)
		if _, ok := providers[name]; !ok {
			tb.Errorf("no expectation for %s", name)
		}
		docs[name] = body
	}
	for name := range providers {
		if docs[name] == nil {
			tb.Errorf("no document %s", name)
		}
	}
	return docs
}

func TestDiscover_Providers(t *testing.T) {
	t.Parallel()
	for name, body := range loadDocuments(t) {
		t.Run(name, func(t *testing.T) {
			p := providers[name]
			m, err := fetch.ParseMetadata(body)
			if err != nil || m.Issuer != p.issuer || m.JWKSURL != p.jwksURL {
				t.Fatalf("ParseMetadata() = %+v, %v, want %s and %s", m, err, p.issuer, p.jwksURL)
			}
			want := p.discoveryURL
			if want == "" {
				want = strings.TrimSuffix(p.issuer, "/") + "/.well-known/openid-configuration"
			}
			c := memoryClient(t, func(r *http.Request) (*http.Response, error) {
				if r.URL.String() != want && r.URL.Path != "/{tenantid}/v2.0/.well-known/openid-configuration" {
					return nil, fmt.Errorf("asked for %s, want %s", r.URL, want)
				}
				return respond(200, strings.NewReader(string(body))), nil
			})
			m, err = c.Discover(t.Context(), p.issuer, p.discoveryURL)
			if !errors.Is(err, p.want) {
				t.Fatalf("Discover() error = %v, want %v", err, p.want)
			}
			if p.want == nil && (m.Issuer != p.issuer || m.JWKSURL != p.jwksURL) {
				t.Errorf("Discover() = %+v", m)
			}
		})
	}
}

func TestDiscoveryURL(t *testing.T) {
	t.Parallel()
	const tail = ".well-known/openid-configuration"
	for issuer, want := range map[string]string{
		"https://a.example":    "https://a.example/" + tail,
		"https://a.example/":   "https://a.example/" + tail,
		"https://a.example//":  "https://a.example//" + tail,
		"https://a.example/b":  "https://a.example/b/" + tail,
		"https://a.example/b/": "https://a.example/b/" + tail,
	} {
		if got := fetch.DiscoveryURL(issuer); got != want {
			t.Errorf("DiscoveryURL(%s) = %s, want %s", issuer, got, want)
		}
	}
}

const (
	goodIssuer   = "https://issuer.example"
	goodMetadata = `{"issuer":"https://issuer.example","jwks_uri":"https://issuer.example/jwks"}`
)

// metadata is a discovery document that states an issuer and a key set's URL.
func metadata(issuer, jwks string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwks)
}

// nested is the good document with an array in arrays.
func nested(depth int) string {
	return goodMetadata[:len(goodMetadata)-1] + `,"x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
}

var discoverTests = []struct {
	name   string
	issuer string // empty means goodIssuer
	body   string
	want   error
}{
	{"plain", "", goodMetadata, nil},
	{"space around it", "", " \n" + goodMetadata + "\r\n\t ", nil},
	{"escapes in a name and a value", "", `{"\u0069ssuer":"https:\/\/issuer.example","jwks_uri":"https://issuer.example/jwks"}`, nil},
	{"null, a string for an array, a number for a URL", "",
		goodMetadata[:len(goodMetadata)-1] + `,"scopes_supported":null,"subject_types_supported":"pairwise","token_endpoint":7}`, nil},
	{"names that differ in case besides", "", goodMetadata[:len(goodMetadata)-1] + `,"Issuer":"https://evil.example","JWKS_URI":"https://evil.example"}`, nil},
	{"key set on another host", "", metadata(goodIssuer, "https://keys.example/jwks"), nil},
	{"key set with a query", "", metadata(goodIssuer, "https://issuer.example/jwks?appid=1"), nil},
	{"issuer with a slash", goodIssuer + "/", metadata(goodIssuer+"/", "https://issuer.example/jwks"), nil},
	{"nested 500 deep", "", nested(500), nil},

	{"another issuer", "", metadata("https://evil.example", "https://evil.example/jwks"), fetch.ErrDiscovery},
	{"slash more than asked for", "", metadata(goodIssuer+"/", "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"slash less than asked for", goodIssuer + "/", metadata(goodIssuer, "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"host in capitals", "", metadata("https://ISSUER.example", "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"default port written", "", metadata(goodIssuer+":443", "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"http for https", "", metadata("http://issuer.example", "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"space after it", "", metadata(goodIssuer+" ", "https://issuer.example/jwks"), fetch.ErrDiscovery},
	{"template for a value", "", metadata("https://{tenantid}", "https://issuer.example/jwks"), fetch.ErrDiscovery},

	{"issuer only in another case", "", `{"Issuer":"https://issuer.example","jwks_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"jwks_uri only in another case", "", `{"issuer":"https://issuer.example","JWKS_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"jwks_uri with a long s", "", `{"issuer":"https://issuer.example","jwkſ_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"issuer twice", "", `{"issuer":"https://evil.example",` + goodMetadata[1:], fetch.ErrDiscovery},
	{"issuer twice, the same", "", `{"issuer":"https://issuer.example",` + goodMetadata[1:], fetch.ErrDiscovery},
	{"jwks_uri twice, once with an escape", "", goodMetadata[:len(goodMetadata)-1] + `,"jwks\u005furi":"https://evil.example"}`, fetch.ErrDiscovery},
	{"another member twice", "", goodMetadata[:len(goodMetadata)-1] + `,"a":1,"a":2}`, fetch.ErrDiscovery},
	{"no issuer", "", `{"jwks_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"no jwks_uri", "", `{"issuer":"https://issuer.example"}`, fetch.ErrDiscovery},
	{"issuer null", "", `{"issuer":null,"jwks_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"jwks_uri null", "", `{"issuer":"https://issuer.example","jwks_uri":null}`, fetch.ErrDiscovery},
	{"jwks_uri empty", "", metadata(goodIssuer, ""), fetch.ErrDiscovery},
	{"issuer an array", "", `{"issuer":["https://issuer.example"],"jwks_uri":"https://issuer.example/jwks"}`, fetch.ErrDiscovery},
	{"jwks_uri a number", "", `{"issuer":"https://issuer.example","jwks_uri":1}`, fetch.ErrDiscovery},

	{"jwks_uri over http", "", metadata(goodIssuer, "http://issuer.example/jwks"), fetch.ErrDiscovery},
	{"jwks_uri over http on loopback", "", metadata(goodIssuer, "http://127.0.0.1/jwks"), fetch.ErrDiscovery},
	{"jwks_uri with a password", "", metadata(goodIssuer, "https://user:hunter2@issuer.example/jwks"), fetch.ErrDiscovery},
	{"jwks_uri with a fragment", "", metadata(goodIssuer, "https://issuer.example/jwks#a"), fetch.ErrDiscovery},
	{"jwks_uri relative", "", metadata(goodIssuer, "/jwks"), fetch.ErrDiscovery},
	{"jwks_uri a file", "", metadata(goodIssuer, "file:///etc/passwd"), fetch.ErrDiscovery},
	{"jwks_uri carries data", "", metadata(goodIssuer, "data:application/json,{}"), fetch.ErrDiscovery},
	{"jwks_uri endless", "", metadata(goodIssuer, "https://issuer.example/"+strings.Repeat("a", 4000)), fetch.ErrDiscovery},

	{"empty", "", "", fetch.ErrDiscovery},
	{"null", "", "null", fetch.ErrDiscovery},
	{"an array", "", "[" + goodMetadata + "]", fetch.ErrDiscovery},
	{"a string", "", `"issuer"`, fetch.ErrDiscovery},
	{"a web page that says to be JSON", "", "<!doctype html><title>Log in</title>", fetch.ErrDiscovery},
	{"cut off", "", goodMetadata[:len(goodMetadata)-1], fetch.ErrDiscovery},
	{"comma before the end", "", goodMetadata[:len(goodMetadata)-1] + ",}", fetch.ErrDiscovery},
	{"something after it", "", goodMetadata + "{}", fetch.ErrDiscovery},
	{"a brace after it", "", goodMetadata + "}", fetch.ErrDiscovery},
	{"a zero byte after it", "", goodMetadata + "\x00", fetch.ErrDiscovery},
	{"byte order mark", "", "\ufeff" + goodMetadata, nil},
	{"two byte order marks", "", "\ufeff\ufeff" + goodMetadata, fetch.ErrDiscovery},
	{"byte order mark of another encoding", "", "\xff\xfe" + goodMetadata, fetch.ErrDiscovery},
	{"not UTF-8", "", goodMetadata[:len(goodMetadata)-1] + ",\"a\":\"\xff\"}", fetch.ErrDiscovery},
	{"nested 20000 deep", "", nested(20000), fetch.ErrDiscovery},
	{"2 MiB", "", goodMetadata + strings.Repeat(" ", 2<<20), fetch.ErrTooLarge},
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	for _, tt := range discoverTests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, fetch.Config{InsecureHTTP: true, HTTP: &http.Client{Transport: answer(func(*http.Request) (*http.Response, error) {
				return respond(200, strings.NewReader(tt.body)), nil
			})}})
			asked := tt.issuer
			if asked == "" {
				asked = goodIssuer
			}
			m, err := c.Discover(t.Context(), asked, "")
			if !errors.Is(err, tt.want) {
				t.Fatalf("Discover() error = %v, want %v", err, tt.want)
			}
			if err == nil {
				if m.Issuer != asked || m.JWKSURL == "" {
					t.Errorf("Discover() = %+v", m)
				}
				return
			}
			if m != (fetch.Metadata{}) {
				t.Errorf("Discover() = %+v beside an error", m)
			}
			if s := err.Error(); strings.Contains(s, "hunter2") || len(s) > 600 {
				t.Errorf("error says too much: %v", err)
			}
		})
	}
}

// An issuer that goes by several names may state any of them.
func TestDiscover_Aliases(t *testing.T) {
	t.Parallel()
	aliases := []string{"https://issuer.example/oauth", "accounts.issuer.example"}
	for stated, want := range map[string]error{
		goodIssuer: nil, aliases[0]: nil, aliases[1]: nil,
		aliases[0] + "/":               fetch.ErrOtherIssuer,
		"https://accounts.example":     fetch.ErrOtherIssuer,
		"https://ISSUER.example/oauth": fetch.ErrOtherIssuer,
	} {
		c := memoryClient(t, func(*http.Request) (*http.Response, error) {
			return respond(200, strings.NewReader(metadata(stated, "https://issuer.example/jwks"))), nil
		})
		m, err := c.Discover(t.Context(), goodIssuer, "", aliases...)
		if !errors.Is(err, want) || err == nil && m.Issuer != stated || err != nil && !errors.Is(err, fetch.ErrDiscovery) {
			t.Errorf("Discover() of %s = %+v, error %v, want %v", stated, m, err, want)
		}
		if _, err := c.Discover(t.Context(), goodIssuer, ""); (err == nil) != (stated == goodIssuer) {
			t.Errorf("Discover() of %s without aliases: error = %v", stated, err)
		}
	}
}

// TestDiscover_HTTP covers an issuer that is itself on plain http, and documents
// that come by another scheme than the issuer's.
func TestDiscover_HTTP(t *testing.T) {
	t.Parallel()
	const (
		plain  = "http://127.0.0.1:8080"
		secure = "https://issuer.example"
	)
	tests := []struct {
		name, issuer, discoveryURL, jwksURL string
		want                                error
	}{
		{"all of it on loopback", plain, "", plain + "/jwks", nil},
		{"keys by https", plain, "", secure + "/jwks", nil},
		{"keys on a host elsewhere", plain, "", "http://issuer.example/jwks", fetch.ErrDiscovery},
		{"https issuer, all else on loopback", secure, plain, plain + "/jwks", fetch.ErrDiscovery},
		{"https issuer, document on loopback, keys by https", secure, plain, secure + "/jwks", nil},
		{"http issuer, document by https, keys not", plain, secure, plain + "/jwks", fetch.ErrDiscovery},
		{"issuer that is no URL", "localhost", secure, secure + "/jwks", nil},
		{"issuer that is no URL and nowhere to look", "localhost", "", secure + "/jwks", fetch.ErrURL},
		{"issuer with a query", secure + "?a", "", secure + "/jwks", fetch.ErrURL},
		{"document at a forbidden URL", secure, "http://issuer.example/", secure + "/jwks", fetch.ErrURL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, fetch.Config{InsecureHTTP: true, HTTP: &http.Client{Transport: answer(func(*http.Request) (*http.Response, error) {
				return respond(200, strings.NewReader(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, tt.issuer, tt.jwksURL))), nil
			})}})
			if _, err := c.Discover(t.Context(), tt.issuer, tt.discoveryURL); !errors.Is(err, tt.want) {
				t.Errorf("Discover() error = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDiscover_FetchErrors(t *testing.T) {
	t.Parallel()
	c := memoryClient(t, func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return respond(404, strings.NewReader("")), nil
	})
	var status *fetch.StatusError
	if _, err := c.Discover(t.Context(), "https://issuer.example", ""); !errors.As(err, &status) || status.Status != 404 {
		t.Errorf("Discover() error = %v, want a StatusError", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Discover(ctx, "https://issuer.example", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Discover() error = %v, want %v", err, context.Canceled)
	}
}

// FuzzMetadata compares with the JSON reader of go-jose, which matches names
// exactly too: what is accepted here, it reads the same way.
func FuzzMetadata(f *testing.F) {
	for _, body := range loadDocuments(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"issuer":"a","issuer":"b","jwks_uri":"c"}`))
	f.Add([]byte(`{"Issuer":"a","issuer":"b","jwks_uri":"c"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := fetch.ParseMetadata(body)
		if err != nil {
			if !errors.Is(err, fetch.ErrDiscovery) {
				t.Errorf("ParseMetadata() error = %v, want %v", err, fetch.ErrDiscovery)
			}
			return
		}
		var other struct {
			Issuer  string `json:"issuer"`
			JWKSURL string `json:"jwks_uri"`
		}
		if err := josejson.Unmarshal(body, &other); err != nil {
			t.Fatalf("accepted what go-jose refuses: %v", err)
		}
		if m.Issuer != other.Issuer || m.JWKSURL != other.JWKSURL {
			t.Errorf("ParseMetadata() = %+v, go-jose reads %+v", m, other)
		}
	})
}

// A document of another issuer's is refused without the queries of either name.
func TestDiscover_QueriesNotShown(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"issuer":"https://other.test/?key=hunter2","jwks_uri":"https://other.test/keys"}`)
	}))
	defer srv.Close()
	c := newClient(t, fetch.Config{HTTP: srv.Client()})
	for _, issuer := range []string{"https://issuer.test/", "https://issuer.test/?key=hunter2"} {
		_, err := c.Discover(t.Context(), issuer, srv.URL+"/document?key=hunter2")
		if !errors.Is(err, fetch.ErrOtherIssuer) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "https://other.test/") {
			t.Errorf("Discover(%q) error = %v, want %v without what may be a key", issuer, err, fetch.ErrOtherIssuer)
		}
	}
	if _, err := c.Discover(t.Context(), "https://issuer.test/?key=hunter2", ""); !errors.Is(err, fetch.ErrURL) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Discover() error = %v, want %v without what may be a key", err, fetch.ErrURL)
	}
}
