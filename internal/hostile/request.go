package hostile

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

// serverRows are refused for reasons that are not the token's.
func serverRows(t testing.TB, w *World) []Row {
	good := w.Of("other", nil)
	closed := authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{authtest.Audience}}}, Client: w.By["other"].Client(),
	})
	if _, err := closed.Authenticate(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	closed.Close()
	unknownKey := w.Of("down", func(h, c Members) (Members, Members) { return h.Set("kid", `"nobody"`), c })
	return []Row{
		w.Row("server: no keys", oidcauth.ErrKeysUnavailable, w.Of("down", nil), good),
		w.Row("server: no keys, unknown key ID", oidcauth.ErrKeysUnavailable, unknownKey, good),
		w.Row("server: no keys, token expired", oidcauth.ErrKeysUnavailable, w.Of("down", func(h, c Members) (Members, Members) { return h, c.Set("exp", "1") }), good),
		{
			Name: "server: closed, a token it has accepted", Want: oidcauth.ErrClosed,
			Bad:  func() (*oidcauth.Claims, error) { return closed.Authenticate(context.Background(), good) },
			Good: w.Authenticate(good),
		},
	}
}

// A Carrier puts a token into a request: a header line, or part of the query.
type Carrier struct {
	Name string
	Put  func(r *http.Request, tok string)
}

// Carriers are the places that extractors know.
var Carriers = []Carrier{
	{"header", func(r *http.Request, tok string) { r.Header.Add("Authorization", "Bearer "+tok) }},
	{"subprotocol", func(r *http.Request, tok string) {
		r.Header.Add("Sec-WebSocket-Protocol", "chat.v1, bearer."+Encode(tok))
	}},
	{"query", func(r *http.Request, tok string) {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&access_token="+tok, "&")
	}},
	{"cookie", func(r *http.Request, tok string) { r.Header.Add("Cookie", "session="+tok) }},
}

// A desk is an Authenticator that takes tokens from everywhere.
type desk struct {
	t    testing.TB
	auth *oidcauth.Authenticator
	tok  string
}

// present returns a function that makes a request and presents it.
func (d desk) present(line string, change func(*http.Request), headers ...string) func() (*oidcauth.Claims, error) {
	return func() (*oidcauth.Claims, error) {
		r := authtest.NewRequest(d.t, line, headers...)
		if change != nil {
			change(r)
		}
		return d.auth.AuthenticateRequest(r)
	}
}

func requestRows(t testing.TB, w *World) []Row {
	d := desk{t: t, tok: w.Of("other", nil), auth: authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{authtest.Audience}}}, Client: w.By["other"].Client(),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken,
			oidcauth.QueryToken("access_token"), oidcauth.CookieToken("session", "https://app.test")),
	})}
	all := d.severalTokens(w)
	all = append(all, d.malformed()...)
	all = append(all, d.origins()...)
	all = append(all, d.forwarded(w)...)
	return append(all, d.forbidden(w)...)
}

// severalTokens carry tokens in every combination of more than one place: a good
// one beside others. The good twin has the same token in all of them.
func (d desk) severalTokens(w *World) []Row {
	var all []Row
	second := map[string]string{
		"the same but for its end": d.tok[:len(d.tok)-1], "another good one": w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set("jti", `"2"`) }),
		"an expired one": w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set("exp", "1") }), "garbage": "x",
	}
	for set := 1; set < 1<<len(Carriers); set++ {
		var chosen []Carrier
		var names []string
		for i, c := range Carriers {
			if set&(1<<i) != 0 {
				chosen, names = append(chosen, c), append(names, c.Name)
			}
		}
		if len(chosen) == 1 {
			chosen = append(chosen, chosen[0])
			names = append(names, "again")
		}
		twin := d.present("GET /", func(r *http.Request) {
			for _, c := range chosen {
				c.Put(r, d.tok)
			}
		})
		for what, other := range second {
			all = append(all, Row{
				Name: "request: " + strings.Join(names, " and ") + ", " + what, Want: oidcauth.ErrMalformedRequest, Good: twin,
				Bad: d.present("GET /", func(r *http.Request) {
					chosen[0].Put(r, d.tok)
					for _, c := range chosen[1:] {
						c.Put(r, other)
					}
				}),
			})
		}
	}
	return all
}

// malformed carry one token, in a way that is not allowed.
func (d desk) malformed() []Row {
	bad, none, form := oidcauth.ErrMalformedRequest, oidcauth.ErrNoToken, oidcauth.ErrMalformedToken
	header := []string{"Authorization: Bearer " + d.tok}
	rows := []struct {
		name, line string
		headers    []string
		good       []string
		want       error
	}{
		{"no token", "GET /", nil, header, none},
		{"scheme alone", "GET /", []string{"Authorization: Bearer"}, header, bad},
		{"tab for a space", "GET /", []string{"Authorization: Bearer\t" + d.tok}, []string{"Authorization: bEaReR " + d.tok}, bad},
		{"equals sign for a space", "GET /", []string{"Authorization: Bearer=" + d.tok}, header, bad},
		{"token in quotes", "GET /", []string{`Authorization: Bearer "` + d.tok + `"`}, []string{"Authorization: Bearer " + d.tok + " "}, bad},
		{"a parameter", "GET /", []string{"Authorization: Bearer token=" + d.tok + ", x=y"}, header, bad},
		{"two tokens, comma", "GET /", []string{"Authorization: Bearer " + d.tok + "," + d.tok}, header, bad},
		{"two tokens, space", "GET /", []string{"Authorization: Bearer " + d.tok + " " + d.tok}, header, bad},
		{"line folding", "GET /", []string{"Authorization: Bearer " + d.tok[:20] + "\r\n " + d.tok[20:]}, header, bad},
		{"zero byte", "GET /", []string{"Authorization: Bearer " + d.tok + "\x00"}, header, bad},
		{"a letter beyond ASCII", "GET /", []string{"Authorization: Bearer é" + d.tok}, header, bad},
		{"Basic", "GET /", []string{"Authorization: Basic YWxpY2U6c2VjcmV0"}, header, none},
		{"DPoP", "GET /", []string{"Authorization: DPoP " + d.tok}, header, none},
		{"token without scheme", "GET /", []string{"Authorization: " + d.tok}, header, none},
		{"space before the scheme", "GET /", []string{"Authorization:  Bearer " + d.tok}, header, none},
		{"for the proxy", "GET /", []string{"Proxy-Authorization: Bearer " + d.tok}, header, none},
		{"for another header", "GET /", []string{"X-Authorization: Bearer " + d.tok}, header, none},
		{"Basic and Bearer", "GET /", []string{"Authorization: Basic YTpi", header[0]}, header, bad},
		{"padded token", "GET /", []string{"Authorization: Bearer " + d.tok + "="}, header, form},
		{"opaque token", "GET /", []string{"Authorization: Bearer abc"}, header, form},
		{"query of another case", "GET /?Access_Token=" + d.tok, nil, header, none},
		{"query with an empty token", "GET /?access_token=", nil, header, bad},
		{"query with a bad escape", "GET /?access_token=%", nil, header, bad},
		{"query with an escaped line end", "GET /?access_token=" + d.tok + "%0a", nil, header, bad},
		{"query behind a semicolon", "GET /?a=1;access_token=" + d.tok, nil, header, none},
		{"subprotocol alone", "GET /", []string{"Sec-WebSocket-Protocol: bearer." + Encode(d.tok)}, []string{"Sec-WebSocket-Protocol: bearer." + Encode(d.tok) + ", chat.v1"}, bad},
		{"subprotocol not encoded", "GET /", []string{"Sec-WebSocket-Protocol: chat.v1, bearer." + d.tok}, header, bad},
		{"subprotocol of another case", "GET /", []string{"Sec-WebSocket-Protocol: chat.v1, Bearer." + Encode(d.tok)}, header, none},
		{"cookie of another case", "GET /", []string{"Cookie: Session=" + d.tok}, []string{`Cookie: session="` + d.tok + `"`}, none},
		{"empty cookie", "GET /", []string{"Cookie: session="}, []string{"Cookie: a=b; session=" + d.tok}, bad},
	}
	var all []Row
	for _, row := range rows {
		all = append(all, Row{
			Name: "request: " + row.name, Want: row.want,
			Bad: d.present(row.line, nil, row.headers...), Good: d.present("GET /", nil, row.good...),
		})
	}
	return all
}

// origins use a browser's cookie from where it must not be used.
func (d desk) origins() []Row {
	cookie, allowed := "Cookie: session="+d.tok, "Origin: https://app.test"
	var all []Row
	add := func(name, line string, headers ...string) {
		all = append(all, Row{
			Name: "origin: " + name, Want: oidcauth.ErrOrigin,
			Bad:  d.present(line, nil, append(headers, cookie)...),
			Good: d.present(line, nil, append(slices.DeleteFunc(slices.Clone(headers), func(h string) bool { return strings.HasPrefix(h, "Origin: ") }), cookie, allowed)...),
		})
	}
	for _, origin := range []string{
		"https://evil.test", "null", "", "https://app.test.evil.test", "https://evil-app.test", "http://app.test", "https://app.test:8443",
		"https://app.test/", "HTTPS://APP.TEST", "https://app.test https://evil.test", "file://", "*", "https://app.test\x00",
	} {
		for _, line := range []string{"GET /", "POST /"} {
			add(line+" from "+origin, line, "Origin: "+origin)
		}
		add("socket from "+origin, "GET /", "Origin: "+origin, "Upgrade: websocket")
	}
	for _, line := range []string{"POST /", "PUT /", "DELETE /", "PATCH /", "CONNECT example.test:443", "LOCK /", "get /"} {
		add(line+" from nowhere", line)
	}
	for _, socket := range []string{"Upgrade: websocket", "Upgrade: h2c", "Sec-WebSocket-Key: AAAA", "Sec-WebSocket-Version: 13"} {
		add(socket+" from nowhere", "GET /", socket)
	}
	add("another site's page that is said to be ours", "POST /", "Origin: https://evil.test", "X-Forwarded-Host: app.test", "Referer: https://app.test/")
	return all
}

// forwarded headers come from whoever sends the request and decide nothing.
func (d desk) forwarded(w *World) []Row {
	foreign := w.Of("other", func(h, c Members) (Members, Members) { return h, c.Set("aud", `"x"`) })
	var all []Row
	for _, said := range []string{
		"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: my-db", "X-Forwarded-Proto: https", "X-Forwarded-User: admin",
		"X-Forwarded-Access-Token: " + d.tok, "X-Forwarded-Client-Cert: Hash=00;Subject=\"CN=admin\"", "X-Real-IP: 127.0.0.1",
		"Forwarded: for=127.0.0.1;host=my-db", "X-Original-URL: /internal", "X-Auth-Identity: admin", "X-Auth-Request-User: admin",
		"X-Remote-User: admin", "Remote-User: admin", "X-Envoy-Original-Path: /public", "X-Access-Token: " + d.tok, "X-Http-Method-Override: GET",
	} {
		name, _, _ := strings.Cut(said, ":")
		good := d.present("GET /", nil, said, "Authorization: Bearer "+d.tok)
		all = append(all,
			Row{Name: "forwarded: " + name + " and no token", Want: oidcauth.ErrNoToken, Bad: d.present("GET /", nil, said), Good: good},
			Row{Name: "forwarded: " + name + " and a foreign token", Want: oidcauth.ErrAudience, Bad: d.present("GET /", nil, said, "Authorization: Bearer "+foreign), Good: good})
	}
	return all
}

// forbidden are calls of a known caller who may not make them.
func (d desk) forbidden(w *World) []Row {
	demand := func(roles string, rules ...oidcauth.Rule) func() (*oidcauth.Claims, error) {
		tok := w.Of("other", func(h, c Members) (Members, Members) {
			return h, c.Set("roles", roles).Set("scope", `"read write"`)
		})
		return func() (*oidcauth.Claims, error) {
			c, err := d.auth.Authenticate(context.Background(), tok)
			if err == nil {
				err = oidcauth.Require(oidcauth.NewContext(context.Background(), c), rules...)
			}
			if err != nil {
				return nil, err
			}
			return c, nil
		}
	}
	admin := oidcauth.HasRole("admin")
	rows := []struct {
		name      string
		bad, good func() (*oidcauth.Claims, error)
	}{
		{"no roles", demand("", admin), demand(`["admin"]`, admin)},
		{"role of another case", demand(`["Admin"]`, admin), demand(`"admin"`, admin)},
		{"roles in a text", demand(`"user,admin"`, admin), demand(`"admin"`, admin)},
		{"roles in a text of an array", demand(`["user,admin"]`, admin), demand(`["user,admin","admin"]`, admin)},
		{"roles of another type", demand(`[["admin"]]`, admin), demand(`["admin"]`, admin)},
		{"role denied", demand(`{"admin":false}`, admin), demand(`{"admin":true}`, admin)},
		{"roles true", demand(`true`, admin), demand(`["admin"]`, admin)},
		{"two scopes as one", demand("", oidcauth.HasScope("read write")), demand("", oidcauth.HasScope("read"))},
		{"another issuer", demand("", oidcauth.HasIssuer(URL)), demand("", oidcauth.HasIssuer(URL, "https://other.test"))},
		{"any of no rules", demand("", oidcauth.Any()), demand("", oidcauth.All())},
		{"all of two, one broken", demand("", oidcauth.HasScope("read"), admin), demand("", oidcauth.Any(oidcauth.HasScope("read"), admin))},
	}
	var all []Row
	for _, row := range rows {
		all = append(all, Row{Name: "forbidden: " + row.name, Want: oidcauth.ErrForbidden, Bad: row.bad, Good: row.good})
	}
	return all
}
