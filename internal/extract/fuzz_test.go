package extract_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What the grammars say (RFC 6750, section 2.1; RFC 9110, section 11.1), in other words.
var (
	token68 = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
	scheme  = regexp.MustCompile("(?s)^((?i:bearer|dpop))($|[^!#$%&'*+.^_`|~0-9A-Za-z-].*)$")
	written = regexp.MustCompile(`^(?i:bearer|dpop) +([A-Za-z0-9._~+/=-]+) *$`)
)

// checkTaken expects a token that is one, or an error that is ours and does not repeat
// what was sent.
func checkTaken(t *testing.T, got string, err error, sent ...string) {
	t.Helper()
	switch {
	case err == nil && !token68.MatchString(got):
		t.Errorf("took %q, which is no token", got)
	case err != nil && (got != "" || refusal.Find(err).Status == http.StatusInternalServerError):
		t.Errorf("took %q with error %v", got, err)
	}
	for _, text := range sent {
		if err != nil && len(text) > 40 && strings.Contains(err.Error(), text) {
			t.Errorf("error = %v, which repeats what was sent", err)
		}
	}
}

// wantBearer is what several Authorization headers carry, by the grammar: a token, or
// which error. Those of another scheme carry none where they are alone.
func wantBearer(values []string) (string, error) {
	var tokens []string
	for _, value := range values {
		if m := scheme.FindStringSubmatch(value); m == nil || !strings.EqualFold(m[1], "bearer") {
			if len(values) == 1 {
				return "", refusal.ErrNoToken
			}
			return "", refusal.ErrMalformedRequest
		}
		m := written.FindStringSubmatch(value)
		if m == nil || len(tokens) > 0 && tokens[0] != m[1] {
			return "", refusal.ErrMalformedRequest
		}
		tokens = append(tokens, m[1])
	}
	return tokens[0], nil
}

// FuzzBearer: what is taken out of the Authorization header is what the grammar says,
// and nothing of it stays. What is of another scheme stays as it is.
func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer " + token, "bearer  " + token + " ", "Bearer", "Bearer ", "Bearer\t" + token, "Basic x", "Bearer-x y", "Bearer a,b", "DPoP " + token} {
		f.Add(seed, "Bearer "+token, false)
		f.Add(seed, "Bearer "+token, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, two bool) {
		values := []string{first}
		if two {
			values = append(values, second)
		}
		r := &http.Request{Header: http.Header{"Authorization": slices.Clone(values), "X-Other": {first}}}
		got, err := extract.Bearer(r)
		checkTaken(t, got, err, values...)
		if want, wantErr := wantBearer(values); got != want || !errors.Is(err, wantErr) {
			t.Errorf("Bearer(%q) = %q, %v, want %q, %v", values, got, err, want, wantErr)
		}
		left, found := r.Header["Authorization"]
		if found != errors.Is(err, refusal.ErrNoToken) || found && !slices.Equal(left, values) || r.Header["X-Other"][0] != first {
			t.Errorf("Bearer(%q) error = %v, left %q", values, err, r.Header)
		}
	})
}

// FuzzDPoP: under the scheme DPoP there is one token or none, with one proof at most,
// and neither stays.
func FuzzDPoP(f *testing.F) {
	for _, seed := range []string{"DPoP " + token, "dpop  " + token + " ", "DPoP", "DPoP-x y", "DPoP a,b", "Bearer " + token} {
		f.Add(seed, "", "proof", "")
		f.Add(seed, "Bearer "+token, "proof", "another")
	}
	f.Add("DPoPſ", "0", "proof", "") // a letter that is an s where case does not count
	f.Fuzz(func(t *testing.T, first, second, proof, another string) {
		h := http.Header{"Authorization": {first}, "Dpop": {proof}}
		if second != "" {
			h["Authorization"] = append(h["Authorization"], second)
		}
		if another != "" {
			h["Dpop"] = append(h["Dpop"], another)
		}
		values, proofs := slices.Clone(h["Authorization"]), slices.Clone(h["Dpop"])
		got, gotProof, found, err := extract.TakeDPoP(&http.Request{Header: h})
		is := func(value string) bool {
			m := scheme.FindStringSubmatch(value)
			return m != nil && strings.EqualFold(m[1], "dpop")
		}
		if found != slices.ContainsFunc(values, is) {
			t.Fatalf("TakeDPoP(%q) found = %t", values, found)
		}
		if !found {
			if got != "" || gotProof != "" || err != nil || !slices.Equal(h["Authorization"], values) || !slices.Equal(h["Dpop"], proofs) {
				t.Errorf("TakeDPoP(%q) = %q, %q, %v, left %q", values, got, gotProof, err, h)
			}
			return
		}
		checkTaken(t, got, err, slices.Concat(values, proofs)...)
		m := written.FindStringSubmatch(first)
		want := m != nil && len(values) == 1 && len(proofs) == 1
		if want != (err == nil) || want && (got != m[1] || gotProof != proof || len(h) > 0) || len(h["Authorization"]) > 0 {
			t.Errorf("TakeDPoP(%q, %q) = %q, %q, %v, left %q", values, proofs, got, gotProof, err, h)
		}
	})
}

// FuzzCookie: net/http finds the other cookies afterwards as it did before, and none of
// the token's name. The token is the value that it found.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{
		"a=1;c=" + token + "; b=2", "c=" + token, `c="` + token + `"`, "cc=" + token, "c", "c=", " c =x", "c=x; c=x", "c=x;c=y", `c=""x""`, "a=\"x; y\"; c=x",
		"\u00a0a=1; c=x", "a=1;; ;c=x;\tb=2", "c=x\u0085; b=2", "c==x=",
	} {
		f.Add(seed, "")
		f.Add(seed, "b=3; c="+token)
	}
	f.Add(strings.Repeat(";", 3000), "b=3; c="+token)
	take, err := extract.Cookie("c", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {first}}}
		if second != "" {
			r.Header["Cookie"] = append(r.Header["Cookie"], second)
		}
		lines := slices.Clone(r.Header["Cookie"])
		var named, others []http.Cookie
		for _, c := range r.Cookies() {
			if c.Name == "c" {
				named = append(named, *c)
			} else {
				others = append(others, *c)
			}
		}
		got, err := take(r)
		checkTaken(t, got, err, lines...)
		for _, c := range named {
			if errors.Is(err, refusal.ErrNoToken) || err == nil && c.Value != got {
				t.Errorf("took %q, %v, and net/http finds %q in %q", got, err, c.Value, lines)
			}
		}
		if err == nil && len(named) == 0 {
			t.Errorf("took %q, and net/http finds none in %q", got, lines)
		}
		if errors.Is(err, refusal.ErrNoToken) && !slices.Equal(r.Header["Cookie"], lines) {
			t.Errorf("found none, and left %q of %q", r.Header["Cookie"], lines)
		}
		var left []http.Cookie
		for _, c := range r.Cookies() {
			left = append(left, *c)
		}
		same := func(a, b http.Cookie) bool { return a.Name == b.Name && a.Value == b.Value && a.Quoted == b.Quoted }
		if !slices.EqualFunc(left, others, same) {
			t.Errorf("left %v of %q, want %v", left, lines, others)
		}
	})
}

// FuzzQuery: net/url finds the other parameters afterwards as it did before, in the
// address, in the page's and in the forms, and none of the token's name.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"t=" + token, "b=%7e&t=" + token + "&a=+&&x;y", "%74=" + token, "tt=" + token + "&T=x", "t=x&t=x", "t=x&t=y", "t", "t=%zz", "%zz=t", "t=a;b", "t=a%00", "+t=x", "t=a+b", "&&&",
	} {
		f.Add(seed, "a=1&t="+token+"#f", false)
		f.Add(seed, "", true)
	}
	take, err := extract.Query("t")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, page string, parsed bool) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/p", RawQuery: query}, Header: http.Header{"Referer": {"https://a.test/?" + page}}}
		r.RequestURI = r.URL.RequestURI()
		if parsed {
			r.ParseForm()
		}
		before, _ := url.ParseQuery(query)
		tokens := before["t"]
		got, err := take(r)
		checkTaken(t, got, err, query)
		for _, value := range tokens {
			if errors.Is(err, refusal.ErrNoToken) || err == nil && value != got {
				t.Errorf("took %q, %v, and net/url finds %q in %q", got, err, value, query)
			}
		}
		if err == nil && len(tokens) == 0 {
			t.Errorf("took %q, and net/url finds none in %q", got, query)
		}
		delete(before, "t")
		after, _ := url.ParseQuery(r.URL.RawQuery)
		if !maps.EqualFunc(before, after, slices.Equal) || r.RequestURI != r.URL.RequestURI() || r.URL.Path != "/p" {
			t.Errorf("left %q, %q of %q", r.URL.RawQuery, r.RequestURI, query)
		}
		if parsed && !maps.EqualFunc(before, r.Form, slices.Equal) {
			t.Errorf("left the form %q of %q", r.Form, query)
		}
		checkReferer(t, page, r.Header.Get("Referer"))
	})
}

// checkReferer expects the page's address without the parameter.
func checkReferer(t *testing.T, page, left string) {
	t.Helper()
	query, fragment, _ := strings.Cut(page, "#")
	want, _ := url.ParseQuery(query)
	delete(want, "t")
	rest, leftFragment, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(left, "https://a.test/"), "?"), "#")
	if got, _ := url.ParseQuery(rest); !maps.EqualFunc(got, want, slices.Equal) || leftFragment != fragment || !strings.HasPrefix(left, "https://a.test/") {
		t.Errorf("left %q of the page's %q", left, page)
	}
}
