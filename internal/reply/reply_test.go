package reply_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/reply"
)

func TestAttrs(t *testing.T) {
	t.Parallel()
	var client netip.Addr
	long := strings.Repeat("a", 200)
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		want   []string
	}{
		{"as it is", func(*http.Request) {}, []string{"method=GET", "path=/a/b", "client=192.0.2.1"}},
		{"without address", func(*http.Request) { client = netip.Addr{} }, []string{"method=GET", "path=/a/b"}},
		{"without URL", func(r *http.Request) { r.URL, client = nil, netip.Addr{} }, []string{"method=GET"}},
		{"with an ID", func(r *http.Request) { r.Header.Set("X-Request-ID", "r-1") }, []string{"method=GET", "path=/a/b", "client=192.0.2.1", "request_id=r-1"}},
		{"with two IDs", func(r *http.Request) { r.Header["X-Request-Id"] = []string{"a", "b"} }, []string{"method=GET", "path=/a/b", "client=192.0.2.1"}},
		{"with a line break", func(r *http.Request) { r.URL.Path, client = "/\nlevel=ERROR", netip.Addr{} }, []string{"method=GET", `path=/\nlevel=ERROR`}},
		{"with a token where none belongs", func(r *http.Request) {
			const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
			r.URL.Path = "/ws/" + token + "/x"
			r.Header.Set("X-Request-Id", "id-"+token)
		}, []string{"method=GET", "path=/ws/(token not shown)/x", "client=192.0.2.1", "request_id=id-(token not shown)"}},
		{"with one whose header has lines", func(r *http.Request) {
			r.URL.Path = "/ws/ewogICJhbGciOiJSUzI1NiIKfQ.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl/ew0KICAiYWxnIjoiUlMyNTYifQ.e30.c2ln/ewkiYWxnIjoiUlMyNTYifQ.e30.c2ln"
		}, []string{"method=GET", "path=/ws/(token not shown)/(token not shown)/(token not shown)", "client=192.0.2.1"}},
		{"with one in place of the method", func(r *http.Request) { r.Method = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl" },
			[]string{"method=(token not shown)", "path=/a/b", "client=192.0.2.1"}},
		{"with what is no token", func(r *http.Request) { r.URL.Path = "/eyes/eyJ.x" }, []string{"method=GET", "path=/eyes/eyJ.x", "client=192.0.2.1"}},
		{"too long", func(r *http.Request) { r.Method, r.URL.Path, client = long, long, netip.Addr{} }, []string{
			"method=" + long[:128] + "… (200 bytes)", "path=" + long[:128] + "… (200 bytes)",
		}},
		{"with megabytes of what may be one", func(r *http.Request) { r.URL.Path, client = "/"+strings.Repeat("ey", 1<<23), netip.Addr{} }, []string{
			"method=GET", "path=/" + strings.Repeat("ey", 63) + "e… (16384 bytes)",
		}},
	} {
		client = netip.MustParseAddr("192.0.2.1")
		r := httptest.NewRequest(http.MethodGet, "/a/b?access_token=secret", nil)
		tt.change(r)
		if got := texts(reply.Attrs(r, client)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: Attrs() = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		issuer, subject string
		want            []string
	}{
		{"", "", nil},
		{"i", "", []string{"issuer=i"}},
		{"i", "a\nb", []string{"issuer=i", `subject=a\nb`}},
	} {
		if got := texts(reply.Bearer(tt.issuer, tt.subject)); !slices.Equal(got, tt.want) {
			t.Errorf("Bearer(%q, %q) = %q, want %q", tt.issuer, tt.subject, got, tt.want)
		}
	}
}

func texts(attrs []slog.Attr) (all []string) {
	for _, a := range attrs {
		all = append(all, a.String())
	}
	return all
}

// Whatever is written, nothing below 300 gets out.
func TestWriter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		write func(http.ResponseWriter)
		want  int
		body  string
	}{
		{"nothing", func(http.ResponseWriter) {}, 401, ""},
		{"a body", func(w http.ResponseWriter) { io.WriteString(w, "no") }, 401, "no"},
		{"its status", func(w http.ResponseWriter) { w.WriteHeader(401); io.WriteString(w, "no") }, 401, "no"},
		{"200", func(w http.ResponseWriter) { w.WriteHeader(200); io.WriteString(w, "no") }, 401, "no"},
		{"204", func(w http.ResponseWriter) { w.WriteHeader(204) }, 401, ""},
		{"101", func(w http.ResponseWriter) { w.WriteHeader(101) }, 401, ""},
		{"zero", func(w http.ResponseWriter) { w.WriteHeader(0) }, 401, ""},
		{"299", func(w http.ResponseWriter) { w.WriteHeader(299) }, 401, ""},
		{"300", func(w http.ResponseWriter) { w.WriteHeader(300) }, 300, ""},
		{"599", func(w http.ResponseWriter) { w.WriteHeader(599) }, 599, ""},
		{"600", func(w http.ResponseWriter) { w.WriteHeader(600) }, 401, ""},
		{"a redirect", func(w http.ResponseWriter) { w.WriteHeader(302) }, 302, ""},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500) }, 500, ""},
		{"two", func(w http.ResponseWriter) { w.WriteHeader(403); w.WriteHeader(200) }, 403, ""},
		{"a flush", func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }, 401, ""},
	} {
		rec := httptest.NewRecorder()
		w := reply.NewWriter(rec, 401)
		tt.write(w)
		w.Finish()
		if rec.Code != tt.want || rec.Body.String() != tt.body {
			t.Errorf("%s: status %d, body %q, want %d, %q", tt.name, rec.Code, rec.Body, tt.want, tt.body)
		}
	}
}

// A countingWriter counts the statuses.
type countingWriter struct {
	http.ResponseWriter
	statuses []int
}

func (w *countingWriter) WriteHeader(status int) { w.statuses = append(w.statuses, status) }

// Only the first status is handed on.
func TestWriter_Once(t *testing.T) {
	t.Parallel()
	c := &countingWriter{ResponseWriter: httptest.NewRecorder()}
	w := reply.NewWriter(c, 401)
	w.WriteHeader(403)
	w.WriteHeader(500)
	io.WriteString(w, "no")
	w.Finish()
	if !slices.Equal(c.statuses, []int{403}) {
		t.Errorf("statuses %v, want 403 once", c.statuses)
	}
}
