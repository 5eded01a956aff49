package introspect_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/introspect"
)

// A publisher answers GET with a document, and notes where a question goes.
type publisher struct{ document, asked string }

func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	body := p.document
	if r.Method == http.MethodPost {
		p.asked, body = r.URL.String(), `{"active":false}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// FuzzDiscovery: a token and the secret go where the issuer's own document says, as
// another reader of JSON finds it, over https, and nowhere else.
func FuzzDiscovery(f *testing.F) {
	const issuer = `"issuer":"https://issuer.test"`
	for _, seed := range []string{
		`{` + issuer + `,"introspection_endpoint":"https://issuer.test/introspect"}`, `{` + issuer + `,"introspection_endpoint":"https://other.test/\u0061?b=c"}`, `{` + issuer + `,"introspection_endpoint":"http://issuer.test/introspect"}`,
		`{"issuer":"https://other.test","introspection_endpoint":"https://issuer.test/introspect"}`, `{` + issuer + `,"introspection_endpoint":"https://issuer.test/a","introspection_endpoint":"https://issuer.test/b"}`,
		`{` + issuer + `,"introspection_endpoint":"https://u:p@issuer.test"}`, `{` + issuer + `,"introspection_endpoint":"https://issuer.test#x"}`, `{` + issuer + `,"introspection_endpoint":["https://issuer.test"]}`, `{` + issuer + `}`, `[]`, ``,
		`{` + issuer + `,"introspection_endpoint":"https://issuer.test/a","introspection_Endpoint":"https://issuer.test/b","Issuer":"https://other.test"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		p := &publisher{document: document}
		ask, err := introspect.New(introspect.Config{Issuer: "https://issuer.test", ClientID: "db", ClientSecret: secret, Client: &http.Client{Transport: p}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ask(t.Context(), "opaque-token")
		if (err == nil) != (p.asked != "") || err == nil && string(answer) != `{"active":false}` {
			t.Errorf("asked at %q, got %s, %v", p.asked, answer, err)
		}
		if p.asked == "" {
			if strings.Contains(err.Error(), "opaque-token") || strings.Contains(err.Error(), secret) {
				t.Errorf("error = %v", err)
			}
			return
		}
		var said map[string]any // and no struct, of which another case of a name is a member, too
		err = json.Unmarshal([]byte(document), &said)
		endpoint, _ := said["introspection_endpoint"].(string)
		want, parseErr := url.Parse(endpoint)
		if err != nil || said["issuer"] != "https://issuer.test" || parseErr != nil || want.Scheme != "https" || want.User != nil || want.String() != p.asked {
			t.Errorf("asked at %q, by %s", p.asked, document)
		}
	})
}
