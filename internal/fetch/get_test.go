package fetch_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// answer is a transport that answers from memory.
type answer func(*http.Request) (*http.Response, error)

func (f answer) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// respond makes an answer from a status, header lines "Name: value", and a body.
func respond(status int, body io.Reader, header ...string) *http.Response {
	h := http.Header{}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), ContentLength: -1}
}

func newTransport() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{}}
}

func memoryClient(t *testing.T, rt answer) *fetch.Client {
	return newClient(t, fetch.Config{HTTP: &http.Client{Transport: rt}})
}

const issuerURL = "https://issuer.example/jwks"

func TestGet(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Cache-Control", "public, max-age=600")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, `{"keys":[]}`)
	}))
	defer srv.Close()
	c := newClient(t, fetch.Config{InsecureHTTP: true})

	resp, err := c.Get(t.Context(), srv.URL, fetch.Request{})
	if err != nil {
		t.Fatalf("Get() error = %v", err)
	}
	if string(resp.Body) != `{"keys":[]}` || resp.NotModified || resp.ETag != `"v1"` || resp.MaxAge != 10*time.Minute || !resp.HasMaxAge {
		t.Errorf("Get() = %+v, body %q", resp, resp.Body)
	}

	resp, err = c.Get(t.Context(), srv.URL, fetch.Request{ETag: resp.ETag})
	if err != nil {
		t.Fatalf("Get() with an ETag error = %v", err)
	}
	if resp.Body != nil || !resp.NotModified || resp.ETag != `"v1"` || resp.MaxAge != 10*time.Minute {
		t.Errorf("Get() with an ETag = %+v, want not modified", resp)
	}
}

func TestGet_Header(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(issuerURL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "a", Value: "b"}})
	var got http.Header
	rt := answer(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return respond(200, strings.NewReader("{}"), "Set-Cookie: c=d"), nil
	})
	c := newClient(t, fetch.Config{HTTP: &http.Client{Transport: rt, Jar: jar}})
	tests := []struct {
		name string
		req  fetch.Request
		want map[string]string // "" means absent
	}{
		{"plain", fetch.Request{},
			map[string]string{"Accept": "application/json, application/jwk-set+json, */*;q=0.1", "User-Agent": "oidcauth", "Accept-Encoding": "gzip", "Cache-Control": "", "If-None-Match": ""}},
		{"past the caches", fetch.Request{NoCache: true}, map[string]string{"Cache-Control": "no-cache"}},
		{"ETag", fetch.Request{ETag: `W/"1"`}, map[string]string{"If-None-Match": `W/"1"`}},
		{"ETag that would add a header", fetch.Request{ETag: "\"1\"\r\nA: b"}, map[string]string{"If-None-Match": ""}},
		{"ETag of 2 KiB", fetch.Request{ETag: strings.Repeat("a", 2048)}, map[string]string{"If-None-Match": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := c.Get(t.Context(), issuerURL, tt.req); err != nil {
				t.Fatalf("Get() error = %v", err)
			}
			for name, want := range tt.want {
				if got.Get(name) != want {
					t.Errorf("%s = %q, want %q", name, got.Get(name), want)
				}
			}
			if got.Get("Cookie") != "" || got.Get("Authorization") != "" {
				t.Errorf("credentials were sent: %v", got)
			}
		})
	}
	if n := len(jar.Cookies(u)); n != 1 {
		t.Errorf("jar holds %d cookies, want the one it had", n)
	}
}

func TestGet_Status(t *testing.T) {
	t.Parallel()
	const secret = "internal host db-7 is down"
	tests := []struct {
		status int
		etag   string
		header []string
		retry  time.Duration
		ok     bool
	}{
		{status: 200, ok: true},
		{status: 304, etag: `"1"`, ok: true},
		{status: 304},
		{status: 201},
		{status: 204},
		{status: 206},
		{status: 300},
		{status: 307}, // without a Location
		{status: 400},
		{status: 404},
		{status: 429, header: []string{"Retry-After: 120"}, retry: 2 * time.Minute},
		{status: 503, header: []string{"Retry-After: -1"}},
		{status: 503, header: []string{"Retry-After: soon"}},
		{status: 503, header: []string{"Retry-After: 99999999999999999999"}, retry: (1<<31 - 1) * time.Second},
		{status: 503, header: []string{"Date: Mon, 02 Nov 2026 10:00:00 GMT", "Retry-After: Mon, 02 Nov 2026 10:00:30 GMT"}, retry: 30 * time.Second},
		{status: 503, header: []string{"Date: Mon, 02 Nov 2026 10:00:00 GMT", "Retry-After: Mon, 02 Nov 2026 09:00:00 GMT"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.etag, tt.header), func(t *testing.T) {
			c := memoryClient(t, func(*http.Request) (*http.Response, error) {
				return respond(tt.status, strings.NewReader(secret), tt.header...), nil
			})
			_, err := c.Get(t.Context(), issuerURL+"?appid=7", fetch.Request{ETag: tt.etag})
			if tt.ok {
				if err != nil {
					t.Fatalf("Get() error = %v", err)
				}
				return
			}
			var status *fetch.StatusError
			if !errors.As(err, &status) {
				t.Fatalf("Get() error = %v, want a StatusError", err)
			}
			if status.Status != tt.status || status.RetryAfter != tt.retry || status.URL != issuerURL {
				t.Errorf("Get() error = %+v, want status %d, retry after %v", status, tt.status, tt.retry)
			}
			if text := err.Error(); strings.Contains(text, "retry after") != (tt.retry > 0) {
				t.Errorf("error %v, want one that says when to ask again: %v", err, tt.retry > 0)
			}
			if text := err.Error(); strings.Contains(text, "db-7") || strings.Contains(text, "appid") {
				t.Errorf("error says too much: %v", err)
			}
		})
	}
}

// A document that is known by a member is read whatever its Content-Type.
func TestGet_Member(t *testing.T) {
	t.Parallel()
	const web = "text/html;charset=UTF-8"
	tests := []struct {
		name, contentType, body string
		want                    error
	}{
		{"said to be a web page", web, `{"keys":[]}`, nil},
		{"said to be a picture", "image/png", ` {"keys":null} `, nil},
		{"with a byte order mark", web, "\ufeff" + `{"keys":[]}`, nil},
		{"without the member", web, `{}`, fetch.ErrContentType},
		{"with the member in another case", web, `{"Keys":[]}`, fetch.ErrContentType},
		{"with the member further in", web, `{"a":{"keys":[]}}`, fetch.ErrContentType},
		{"with the member twice", web, `{"keys":[],"keys":[]}`, fetch.ErrContentType},
		{"a web page", web, `<html>{"keys":[]}</html>`, fetch.ErrContentType},
		{"a list", web, `["keys"]`, fetch.ErrContentType},
		{"cut off", web, `{"keys":[]`, fetch.ErrContentType},
		{"nothing", web, ``, fetch.ErrContentType},
		{"said to be JSON, without the member", "application/json", `{}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := memoryClient(t, func(*http.Request) (*http.Response, error) {
				return respond(200, strings.NewReader(tt.body), "Content-Type: "+tt.contentType), nil
			})
			if _, err := c.Get(t.Context(), issuerURL, fetch.Request{Member: "keys"}); !errors.Is(err, tt.want) {
				t.Fatalf("Get() error = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestGet_ContentType(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		want  error
	}{
		{"application/json", nil},
		{"Application/JSON; charset=utf-8", nil},
		{"application/jwk-set+json", nil},
		{"application/vnd.example+json", nil},
		{"text/plain; charset=utf-8", nil},
		{"text/json", nil},
		{"application/octet-stream", nil},
		{"binary/octet-stream", nil},
		{"application/json; charset", nil},   // parameter malformed
		{"Application/JSON ; a=1; a=2", nil}, // parameter twice
		{"", nil},
		{"text/html", fetch.ErrContentType},
		{"text/html; charset=utf-8", fetch.ErrContentType},
		{"TEXT/HTML; charset", fetch.ErrContentType},
		{"application/xhtml+xml", fetch.ErrContentType},
		{"application/xml", fetch.ErrContentType},
		{"image/png", fetch.ErrContentType},
		{"application/jwt", fetch.ErrContentType},
		{"application/jsonp", fetch.ErrContentType},
		{"text/html, application/json", fetch.ErrContentType},
		{";", fetch.ErrContentType},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			c := memoryClient(t, func(*http.Request) (*http.Response, error) {
				return respond(200, strings.NewReader("{}"), "Content-Type: "+tt.value), nil
			})
			if _, err := c.Get(t.Context(), issuerURL, fetch.Request{}); !errors.Is(err, tt.want) {
				t.Fatalf("Get() error = %v, want %v", err, tt.want)
			}
		})
	}
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestGet_Size(t *testing.T) {
	t.Parallel()
	kib := bytes.Repeat([]byte(" "), 1024)
	emptyMembers := bytes.Repeat(zipped(t, nil), 1024)
	tests := []struct {
		name     string
		body     []byte
		encoding string
		limit    int64
		want     error
	}{
		{"exactly the client's limit", kib, "", 0, nil},
		{"one byte more", append(kib[:1024:1024], 'x'), "", 0, fetch.ErrTooLarge},
		{"over the client's limit, within the request's", append(kib[:1024:1024], 'x'), "", 1025, nil},
		{"no limit to speak of", kib, "", math.MaxInt64, nil},
		{"over the request's limit", kib, "", 1023, fetch.ErrTooLarge},
		{"over the shortest limit", kib[:2], "", 1, fetch.ErrTooLarge},
		{"declared not to be encoded", kib, "identity", 0, nil},
		{"compressed, exactly the limit", zipped(t, kib), "gzip", 0, nil},
		{"compressed, one byte more", zipped(t, append(kib[:1024:1024], 'x')), "gzip", 0, fetch.ErrTooLarge},
		{"empty members without end", emptyMembers, "gzip", 0, fetch.ErrTooLarge},
		{"empty members that end", emptyMembers[:len(emptyMembers)/64], "gzip", 0, nil},
		{"an encoding not asked for", kib, "br", 0, fetch.ErrContentType},
		{"two encodings", zipped(t, zipped(t, kib)), "gzip, gzip", 0, fetch.ErrContentType},
		{"broken off", zipped(t, kib)[:20], "GZIP", 0, io.ErrUnexpectedEOF},
		{"not compressed although declared", kib, "gzip", 0, gzip.ErrHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, fetch.Config{MaxBytes: 1024, HTTP: &http.Client{Transport: answer(func(*http.Request) (*http.Response, error) {
				return respond(200, bytes.NewReader(tt.body), "Content-Encoding: "+tt.encoding), nil
			})}})
			resp, err := c.Get(t.Context(), issuerURL, fetch.Request{MaxBytes: tt.limit})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Get() error = %v, want %v", err, tt.want)
			}
			if err == nil && strings.Trim(string(resp.Body), " x") != "" {
				t.Errorf("body is not what was sent: %.40q", resp.Body)
			}
			if err == nil && len(resp.Body) < 1024 && len(tt.body) >= 1024 && tt.encoding == "" {
				t.Errorf("body has %d bytes of %d", len(resp.Body), len(tt.body))
			}
		})
	}
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// endless is a body of zeros that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestGet_EndlessBodyStopsAtTheLimit(t *testing.T) {
	bomb := zipped(t, make([]byte, 32<<20))
	empty := zipped(t, nil)
	nothing := bytes.Repeat(empty, 2<<20/len(empty)) // of which nothing comes
	for name, body := range map[string]*counter{"": {r: endless{}}, "gzip": {r: bytes.NewReader(bomb)}, "GZIP": {r: bytes.NewReader(nothing)}} {
		t.Run(name, func(t *testing.T) {
			c := memoryClient(t, func(*http.Request) (*http.Response, error) {
				return respond(200, body, "Content-Encoding: "+name), nil
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Get(t.Context(), issuerURL, fetch.Request{})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, fetch.ErrTooLarge) {
				t.Errorf("Get() error = %v, want %v", err, fetch.ErrTooLarge)
			}
			if body.n > 1<<20+1 {
				t.Errorf("took %d bytes from the network", body.n)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("allocated %d bytes for a limit of 1 MiB", n)
			}
		})
	}
}

func TestGet_DeclaredLength(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		length int64
		want   error
	}{{1 << 20, nil}, {1<<20 + 1, fetch.ErrTooLarge}} {
		body := &counter{r: strings.NewReader("{}")}
		c := memoryClient(t, func(*http.Request) (*http.Response, error) {
			resp := respond(200, body)
			resp.ContentLength = tt.length
			return resp, nil
		})
		if _, err := c.Get(t.Context(), issuerURL, fetch.Request{}); !errors.Is(err, tt.want) {
			t.Errorf("Get() of %d bytes declared error = %v, want %v", tt.length, err, tt.want)
		}
		if tt.want != nil && body.n > 0 {
			t.Errorf("read %d bytes of a body declared too large", body.n)
		}
	}
}
