package fetch_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

const (
	date  = "Date: Mon, 02 Nov 2026 10:00:00 GMT"
	later = "Expires: Mon, 02 Nov 2026 11:30:00 GMT"
)

var maxAgeTests = []struct {
	name   string
	header []string
	want   time.Duration
	known  bool
}{
	{"nothing said", nil, 0, false},
	{"max-age", []string{"Cache-Control: max-age=300"}, 5 * time.Minute, true},
	{"among others", []string{"Cache-Control: public, max-age=300, must-revalidate"}, 5 * time.Minute, true},
	{"in capitals, with spaces", []string{"Cache-Control:  Public ,  MAX-AGE = 300 "}, 5 * time.Minute, true},
	{"quoted", []string{`Cache-Control: max-age="300"`}, 5 * time.Minute, true},
	{"on a second line", []string{"Cache-Control: public", "Cache-Control: max-age=300"}, 5 * time.Minute, true},
	{"twice: the first", []string{"Cache-Control: max-age=300, max-age=600"}, 5 * time.Minute, true},
	{"after a quoted comma", []string{`Cache-Control: private="a, max-age=1, \"b", max-age=300`}, 5 * time.Minute, true},
	{"too large to hold", []string{"Cache-Control: max-age=99999999999999999999999"}, (1<<31 - 1) * time.Second, true},
	{"more than 31 bits", []string{"Cache-Control: max-age=4294967295"}, (1<<31 - 1) * time.Second, true},
	{"behind a comma", []string{"Cache-Control: ,max-age=300"}, 5 * time.Minute, true},
	{"for shared caches only", []string{"Cache-Control: s-maxage=300"}, 0, false},
	{"a name that ends alike", []string{"Cache-Control: x-max-age=300"}, 0, false},

	{"less the age", []string{"Cache-Control: max-age=300", "Age: 100"}, 200 * time.Second, true},
	{"less an age in a list", []string{"Cache-Control: max-age=300", "Age: 100, 7"}, 200 * time.Second, true},
	{"less an age with a space behind it", []string{"Cache-Control: max-age=300", "Age: 100 , 7"}, 200 * time.Second, true},
	{"older than that", []string{"Cache-Control: max-age=300", "Age: 301"}, 0, true},
	{"age is junk", []string{"Cache-Control: max-age=300", "Age: old"}, 5 * time.Minute, true},
	{"age is negative", []string{"Cache-Control: max-age=300", "Age: -100"}, 5 * time.Minute, true},

	{"zero", []string{"Cache-Control: max-age=0"}, 0, true},
	{"no-store", []string{"Cache-Control: no-store"}, 0, true},
	{"no-cache", []string{"Cache-Control: No-Cache"}, 0, true},
	{"no-store after a max-age", []string{"Cache-Control: max-age=300, no-store"}, 0, true},
	{"no-cache with a field name", []string{`Cache-Control: no-cache="set-cookie", max-age=300`}, 0, true},

	{"max-age is a word", []string{"Cache-Control: max-age=long"}, 0, false},
	{"max-age is negative", []string{"Cache-Control: max-age=-1"}, 0, false},
	{"max-age is a fraction", []string{"Cache-Control: max-age=1.5"}, 0, false},
	{"max-age is empty", []string{"Cache-Control: max-age="}, 0, false},
	{"max-age has no value", []string{"Cache-Control: max-age"}, 0, false},
	{"max-age has a sign", []string{"Cache-Control: max-age=+300"}, 0, false},
	{"a quote that does not end", []string{`Cache-Control: a="b, max-age=300`}, 0, false},
	{"a backslash at the end", []string{`Cache-Control: a="b\`}, 0, false},
	{"only commas", []string{"Cache-Control: ,,,"}, 0, false},

	{"Expires by the server's clock", []string{date, later}, 90 * time.Minute, true},
	{"Expires less the age", []string{date, later, "Age: 1800"}, time.Hour, true},
	{"Expires hidden by max-age", []string{date, later, "Cache-Control: max-age=300"}, 5 * time.Minute, true},
	{"Expires hidden by a bad max-age", []string{date, later, "Cache-Control: max-age=long"}, 0, false},
	{"Expires beside public", []string{date, later, "Cache-Control: public"}, 90 * time.Minute, true},
	{"Expires in the past", []string{"Date: Mon, 02 Nov 2026 12:00:00 GMT", later}, 0, true},
	{"Expires is 0", []string{date, "Expires: 0"}, 0, true},
	{"Expires is -1", []string{date, "Expires: -1"}, 0, true},
	// The clock of this test stands at the start of the year 2000.
	{"Expires by our clock", []string{"Expires: Sat, 01 Jan 2000 00:10:00 GMT"}, 10 * time.Minute, true},
	{"Expires by our clock, date is junk", []string{"Date: today", "Expires: Sat, 01 Jan 2000 00:10:00 GMT"}, 10 * time.Minute, true},
}

func TestGet_MaxAge(t *testing.T) {
	t.Parallel()
	for _, tt := range maxAgeTests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := memoryClient(t, func(*http.Request) (*http.Response, error) {
					return respond(200, strings.NewReader("{}"), tt.header...), nil
				})
				resp, err := c.Get(t.Context(), issuerURL, fetch.Request{})
				if err != nil {
					t.Fatalf("Get() error = %v", err)
				}
				if resp.MaxAge != tt.want || resp.HasMaxAge != tt.known {
					t.Errorf("MaxAge = %v, %t, want %v, %t", resp.MaxAge, resp.HasMaxAge, tt.want, tt.known)
				}
			})
		})
	}
}

func TestGet_ETag(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		status    int
		asked     string
		answered  string
		want      string
		unchanged bool
	}{
		{"new", 200, "", `"1"`, `"1"`, false},
		{"weak", 200, "", `W/"1"`, `W/"1"`, false},
		{"replaced", 200, `"1"`, `"2"`, `"2"`, false},
		{"still stands, named again", 304, `"1"`, `"1"`, `"1"`, true},
		{"still stands, not named", 304, `"1"`, "", `"1"`, true},
		{"none", 200, `"1"`, "", "", false},
		{"too long to send back", 200, "", strings.Repeat("a", 1025), "", false},
		{"as long as can be sent back", 200, "", strings.Repeat("a", 1024), strings.Repeat("a", 1024), false},
		{"as long as can be sent", 304, strings.Repeat("a", 1024), "", strings.Repeat("a", 1024), true},
		{"with a space", 200, "", `"a b"`, `"a b"`, false},
		{"with a control character", 200, "", "\"\x01\"", "", false},
		{"with the last one of ASCII", 200, "", "\"\x7f\"", "", false},
		{"with a byte beyond ASCII", 200, "", "\"\x80\"", "\"\x80\"", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := memoryClient(t, func(*http.Request) (*http.Response, error) {
				return respond(tt.status, strings.NewReader("{}"), "Etag: "+tt.answered), nil
			})
			resp, err := c.Get(t.Context(), issuerURL, fetch.Request{ETag: tt.asked})
			if err != nil {
				t.Fatalf("Get() error = %v", err)
			}
			if resp.ETag != tt.want || resp.NotModified != tt.unchanged {
				t.Errorf("ETag = %.40q, NotModified = %t, want %.40q, %t", resp.ETag, resp.NotModified, tt.want, tt.unchanged)
			}
		})
	}
}
