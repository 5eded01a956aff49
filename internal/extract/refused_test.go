package extract_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What is wrong with Authorization headers is said, and by TakeBearer already, beside
// the token's own form.
func TestTakeBearer_Refused(t *testing.T) {
	t.Parallel()
	const form = "an Authorization header of another form"
	for _, tt := range []struct {
		values      []string
		token, said string
	}{
		{[]string{"Bearer " + token}, token, ""},
		{[]string{"Bearer " + token, "bearer  " + token}, token, ""},
		{[]string{"Bearer," + token}, "", form},
		{[]string{"Bearer"}, "", form},
		{[]string{"Bearer " + token, "Basic x"}, "", "several Authorization headers, want one"},
		{[]string{"Bearer " + token, "Bearer"}, "", form},
		{[]string{"Bearer " + token, "Bearer x"}, "", "several Authorization headers that differ, want one"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = tt.values
		got, err := extract.TakeBearer(r)
		if got != tt.token || (err == nil) != (tt.said == "") || err != nil && (!errors.Is(err, refusal.ErrMalformedRequest) || !strings.Contains(err.Error(), "got "+tt.said)) {
			t.Errorf("%q: got %q, %v, want %q, %q", tt.values, got, err, tt.token, tt.said)
		}
		if left, found := r.Header["Authorization"]; found {
			t.Errorf("left %q", left)
		}
	}
}

// A name may have each character that HTTP has in names: a scheme that goes on after
// Bearer with one is another.
func TestBearer_OtherScheme(t *testing.T) {
	t.Parallel()
	for _, c := range "!#$%&'*+-.^_`|~azAZ09" {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer"+string(c)+" "+token)
		if got, err := extract.Bearer(r); !errors.Is(err, refusal.ErrNoToken) || got != "" || r.Header.Get("Authorization") == "" {
			t.Errorf("%q: got %q, %v, left %q", c, got, err, r.Header.Get("Authorization"))
		}
	}
}

// Whatever is wrong with a token that is sent under the scheme DPoP, it is found, and
// taken out.
func TestTakeDPoP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		values       []string
		proofs       []string
		token, proof string
		found        bool
		want         error
	}{
		{"token and proof", []string{"dpop  " + token}, []string{"p"}, token, "p", true, nil},
		{"no proof", []string{"DPoP " + token}, nil, token, "", true, nil},
		{"another scheme", []string{"Bearer " + token}, []string{"p"}, "", "", false, nil},
		{"none", nil, []string{"p"}, "", "", false, nil},
		{"twice", []string{"DPoP " + token, "DPoP " + token}, nil, "", "", true, refusal.ErrMalformedRequest},
		{"beside another scheme", []string{"Bearer " + token, "DPoP " + token}, nil, "", "", true, refusal.ErrMalformedRequest},
		{"no space", []string{"DPoP," + token}, nil, "", "", true, refusal.ErrMalformedRequest},
		{"no token", []string{"DPoP a b"}, nil, "", "", true, refusal.ErrMalformedRequest},
		{"two proofs", []string{"DPoP " + token}, []string{"p", "p"}, "", "", true, refusal.ErrMalformedRequest},
	} {
		r := &http.Request{Header: http.Header{"Authorization": tt.values, "Dpop": tt.proofs}}
		got, proof, found, err := extract.TakeDPoP(r)
		if got != tt.token || proof != tt.proof || found != tt.found || !errors.Is(err, tt.want) {
			t.Errorf("%s: got %q, %q, %t, %v", tt.name, got, proof, found, err)
		}
		if left := r.Header["Authorization"]; found && len(left) > 0 {
			t.Errorf("%s: left %q", tt.name, left)
		}
	}
}

// A quoted nothing and a plain one are the same, and neither is a token.
func TestCookie_Empty(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", `c=""; c=`)
	_, err := must(t)(extract.Cookie("c", nil))(r)
	if !errors.Is(err, refusal.ErrMalformedRequest) || !strings.Contains(err.Error(), "of another form") {
		t.Errorf("error = %v, want %v for its form", err, refusal.ErrMalformedRequest)
	}
}

// A request without the parameter is not touched, and forms that were read before have
// no copy of a token.
func TestQuery_Forms(t *testing.T) {
	t.Parallel()
	take := must(t)(extract.Query("t"))
	r := httptest.NewRequest("GET", "http://a.test/p?a=1", nil)
	r.Form = url.Values{"a": {"1"}, "t": {"the program's"}}
	if _, err := take(r); !errors.Is(err, refusal.ErrNoToken) || r.RequestURI != "http://a.test/p?a=1" || r.Form.Get("t") != "the program's" {
		t.Errorf("error = %v, left %q and %q", err, r.RequestURI, r.Form)
	}
	for body, want := range map[string]string{"t=" + token + "&a=1": "a=1", "t=" + token + "&t=x": "t=x"} {
		r = httptest.NewRequest("POST", "/p?t="+token, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := r.ParseForm(); err != nil {
			t.Fatal(err)
		}
		if got, err := take(r); got != token || err != nil || r.PostForm.Encode() != want || r.Form.Encode() != want {
			t.Errorf("%s: got %q, %v, left %q and %q, want %q", body, got, err, r.PostForm.Encode(), r.Form.Encode(), want)
		}
	}
}

// A request that was parsed before, with very many values in its address and its body, takes no
// longer than one whose values have nothing to do with each other: the time for each with each
// would be fifty times that.
func TestQuery_ManyValues(t *testing.T) {
	t.Parallel()
	take := must(t)(extract.Query("t"))
	const inAddress, inBody = 500_000, 9_000 // net/url reads no more than 10,000, and says so of the address
	timed := func(name string) time.Duration {
		r := httptest.NewRequest("POST", "/p?"+strings.Repeat("t=a&", inAddress), strings.NewReader(strings.Repeat(name+"=b&", inBody)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_ = r.FormValue("t") // which drops the error
		began := time.Now()
		if got, err := take(r); got != "a" || err != nil || len(r.PostForm[name]) != inBody {
			t.Errorf("got %q, %v, left %d values of the body", got, err, len(r.PostForm[name]))
		}
		return time.Since(began)
	}
	if others, same := timed("u"), timed("t"); same > 20*max(others, 100*time.Millisecond) {
		t.Errorf("it took %v, and %v with another name", same, others)
	}
}

// A form that somebody has read in part, or made, keeps no copy either.
func TestQuery_FormsAlone(t *testing.T) {
	t.Parallel()
	take := must(t)(extract.Query("t"))
	form := func() url.Values { return url.Values{"t": {token, "other"}, "u": {"v"}} }
	for name, set := range map[string]func(*http.Request){
		"Form":          func(r *http.Request) { r.Form = form() },
		"PostForm":      func(r *http.Request) { r.PostForm = form() },
		"MultipartForm": func(r *http.Request) { r.MultipartForm = &multipart.Form{Value: form()} },
	} {
		r := httptest.NewRequest("POST", "/p?t="+token, nil)
		set(r)
		if got, err := take(r); got != token || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if left := fmt.Sprint(r.Form, r.PostForm, r.MultipartForm); strings.Contains(left, token) || !strings.Contains(left, "u:[v]") {
			t.Errorf("%s: left %s", name, left)
		}
	}
}

// The digest of a token that was withheld is none that anybody else can compute.
func TestCookie_Digest(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Cookie", "c="+token)
	_, err := must(t)(extract.Cookie("c", nil))(r)
	if !errors.Is(err, refusal.ErrOrigin) {
		t.Fatalf("error = %v, want %v", err, refusal.ErrOrigin)
	}
	mac := hmac.New(sha256.New, make([]byte, sha256.Size))
	mac.Write([]byte(token))
	digest := strings.TrimPrefix(fmt.Sprintf("%#v", mac.Sum(nil)), "[]byte")
	if shown := fmt.Sprintf("%#v", err); strings.Contains(shown, digest) {
		t.Errorf("error = %s, which has a digest without a key", shown)
	}
}
