package oidctest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// ask fetches the key set with request headers in pairs.
func ask(t *testing.T, iss *oidctest.Issuer, pairs ...string) (*http.Response, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.JWKSURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(pairs); n += 2 {
		r.Header.Set(pairs[n], pairs[n+1])
	}
	resp, err := iss.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp, resp.StatusCode
}

func TestCaching_Headers(t *testing.T) {
	t.Parallel()
	const expires = "Sat, 01 Jan 2000 01:00:00 GMT" // an hour after a bubble begins
	tests := []struct {
		name    string
		caching oidctest.Caching
		want    map[string]string // empty means none
	}{
		{"none", oidctest.Caching{}, map[string]string{"Cache-Control": "", "Expires": "", "Age": "", "Etag": "", "Last-Modified": ""}},
		{"max age", oidctest.Caching{MaxAge: 5 * time.Minute}, map[string]string{"Cache-Control": "max-age=300"}},
		{"own words", oidctest.Caching{CacheControl: "no-store", MaxAge: time.Hour}, map[string]string{"Cache-Control": "no-store"}},
		{"expiry", oidctest.Caching{Expires: time.Hour}, map[string]string{"Expires": expires}},
		{"expired", oidctest.Caching{Expires: -time.Hour}, map[string]string{"Expires": "Fri, 31 Dec 1999 23:00:00 GMT"}},
		{"age", oidctest.Caching{MaxAge: time.Hour, Age: time.Minute}, map[string]string{"Cache-Control": "max-age=3600", "Age": "60"}},
		{"last modified", oidctest.Caching{LastModified: true}, map[string]string{"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := oidctest.NewIssuer(t, oidctest.Config{})
				iss.SetCaching(oidctest.JWKS, tt.caching)
				resp, _ := ask(t, iss)
				for name, want := range tt.want {
					if got := resp.Header.Get(name); got != want {
						t.Errorf("%s = %q, want %q", name, got, want)
					}
				}
				if other, _ := get(t, iss.Client(), iss.DiscoveryURL()); other.Header.Get("Cache-Control") != "" {
					t.Errorf("discovery: Cache-Control = %q, want none", other.Header.Get("Cache-Control"))
				}
			})
		})
	}
}

func TestCaching_ETag(t *testing.T) {
	t.Parallel()
	for _, c := range []oidctest.Caching{{ETag: true, MaxAge: time.Minute}, {WeakETag: true, MaxAge: time.Minute}} {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.SetCaching(oidctest.JWKS, c)
		first, _ := ask(t, iss)
		tag := first.Header.Get("ETag")
		if weak := tag[:2] == "W/"; tag == "" || weak != c.WeakETag {
			t.Errorf("ETag = %q, want weak: %t", tag, c.WeakETag)
		}
		again, status := ask(t, iss, "If-None-Match", tag)
		if status != 304 || again.Header.Get("ETag") != tag || again.Header.Get("Cache-Control") != "max-age=60" {
			t.Errorf("status = %d, headers = %v, want 304 with caching headers", status, again.Header)
		}
		for given, want := range map[string]int{`"other"`: 200, `"other", ` + tag: 304, "*": 304} {
			if _, status := ask(t, iss, "If-None-Match", given); status != want {
				t.Errorf("If-None-Match %s: status = %d, want %d", given, status, want)
			}
		}
		iss.Rotate()
		if next, status := ask(t, iss, "If-None-Match", tag); status != 200 || next.Header.Get("ETag") == tag {
			t.Errorf("after a rotation: status = %d, ETag = %q, was %q", status, next.Header.Get("ETag"), tag)
		}
		want := oidctest.Fetches{JWKS: 6, Conditional: 5, NotModified: 3}
		if got := iss.Fetches(); got != want {
			t.Errorf("Fetches() = %+v, want %+v", got, want)
		}
	}
}

// A fault that does not touch the body leaves conditional requests working; a
// new body has nothing to do with the old tag.
func TestCaching_ETagWithFaults(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.SetCaching(oidctest.JWKS, oidctest.Caching{ETag: true})
	first, _ := ask(t, iss)
	tag := first.Header.Get("ETag")
	tests := []struct {
		name  string
		fault oidctest.Fault
		want  int
	}{
		{"late", oidctest.Fault{Delay: 1}, 304},
		{"other header", oidctest.Fault{Header: http.Header{"X-Test": {"1"}}}, 304},
		{"tag that is another", oidctest.Fault{Header: http.Header{"Etag": {`"x"`}}}, 200},
		{"outage", oidctest.Fault{Status: 503}, 503},
		{"body of its own", oidctest.Fault{Body: []byte("{}")}, 200},
	}
	for _, tt := range tests {
		iss.FailNext(1, oidctest.JWKS, tt.fault)
		resp, status := ask(t, iss, "If-None-Match", tag)
		if status != tt.want {
			t.Errorf("%s: status = %d, want %d", tt.name, status, tt.want)
		}
		if status == 503 && resp.Header.Get("ETag") != "" {
			t.Errorf("%s: ETag = %q, want none", tt.name, resp.Header.Get("ETag"))
		}
	}
}

func TestCaching_LastModified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.SetCaching(oidctest.JWKS, oidctest.Caching{LastModified: true})
		first, _ := ask(t, iss)
		since := first.Header.Get("Last-Modified")
		time.Sleep(time.Minute)
		if _, status := ask(t, iss, "If-Modified-Since", since); status != 304 {
			t.Errorf("status = %d, want 304", status)
		}
		iss.Rotate()
		if _, status := ask(t, iss, "If-Modified-Since", since); status != 200 {
			t.Errorf("after a rotation: status = %d, want 200", status)
		}
	})
}

func TestCaching_Shared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{})
		iss.SetCaching(oidctest.JWKS, oidctest.Caching{Shared: true, MaxAge: time.Hour, ETag: true})
		first, _ := ask(t, iss)
		old := first.Header.Get("ETag")
		iss.Replace()
		time.Sleep(time.Minute)
		if resp, status := ask(t, iss); status != 200 || resp.Header.Get("ETag") != old || resp.Header.Get("Age") != "60" {
			t.Errorf("status = %d, headers = %v, want the old answer, 60 s of age", status, resp.Header)
		}
		if _, status := ask(t, iss, "If-None-Match", old); status != 304 {
			t.Errorf("status = %d, want 304 from the cache", status)
		}
		resp, _ := ask(t, iss, "Cache-Control", "no-cache")
		now := resp.Header.Get("ETag")
		if now == old || resp.Header.Get("Age") != "" {
			t.Errorf("no-cache: headers = %v, want a new answer", resp.Header)
		}
		if resp, _ := ask(t, iss); resp.Header.Get("ETag") != now {
			t.Error("the answer to no-cache was not kept")
		}
		iss.Replace()
		iss.SetCaching(oidctest.JWKS, oidctest.Caching{Shared: true, MaxAge: time.Hour, ETag: true})
		resp, _ = ask(t, iss)
		if resp.Header.Get("ETag") == now {
			t.Error("SetCaching did not empty the cache")
		}
		now = resp.Header.Get("ETag")
		iss.Replace()
		time.Sleep(time.Hour)
		if resp, _ := ask(t, iss); resp.Header.Get("ETag") == now {
			t.Error("the cache repeats an answer after its age")
		}
	})
}
