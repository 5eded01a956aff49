// Package browser is a person's browser, as far as providers' forms need one.
package browser

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Callback is where clients of the tests have people sent back to. Nobody listens
// there: a browser stops before it.
const Callback = "http://127.0.0.1:1/callback"

// A Browser shows one page after the other. It is for one test at a time.
type Browser struct {
	At   *url.URL // of the page
	Page string   // empty at the callback

	client *http.Client
}

// New returns a browser without cookies.
func New() *Browser {
	return &Browser{client: &http.Client{
		Transport: forPages{},
		Jar:       &cookies{byName: map[string]*http.Cookie{}}, Timeout: time.Minute,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), Callback) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// forPages asks for pages, as browsers do: some servers show nobody else a form.
type forPages struct{}

func (forPages) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "text/html,*/*;q=0.8")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// cookies is a jar for one host. Like a browser, and unlike the standard jar,
// it takes 127.0.0.1 for as safe as https.
type cookies struct {
	mu     sync.Mutex // guards byName
	byName map[string]*http.Cookie
}

func (c *cookies) SetCookies(_ *url.URL, set []*http.Cookie) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cookie := range set {
		if cookie.MaxAge < 0 || cookie.Value == "" {
			delete(c.byName, cookie.Name)
		} else {
			c.byName[cookie.Name] = cookie
		}
	}
}

func (c *cookies) Cookies(*url.URL) []*http.Cookie {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*http.Cookie
	for _, cookie := range c.byName {
		all = append(all, &http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	return all
}

// Open opens an address.
func (b *Browser) Open(t *testing.T, address string) {
	t.Helper()
	response, err := b.client.Get(address)
	b.show(t, response, err)
}

// formAction finds where the page's form goes to.
var formAction = regexp.MustCompile(`(?s)<form[^>]*\saction="([^"]*)"`)

// Submit fills in the form on the page. Hidden fields are kept.
func (b *Browser) Submit(t *testing.T, fields url.Values) {
	t.Helper()
	found := formAction.FindStringSubmatch(b.Page)
	if found == nil {
		t.Fatalf("no form on the page of %s:\n%s", b.At, b.Page)
	}
	action, err := b.At.Parse(html.UnescapeString(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	all := b.hidden()
	for name, values := range fields {
		all[name] = values
	}
	response, err := b.client.PostForm(action.String(), all)
	b.show(t, response, err)
}

var (
	input     = regexp.MustCompile(`(?s)<input[^>]*>`)
	attribute = regexp.MustCompile(`(?s)\b(type|name|value)="([^"]*)"`)
)

// hidden returns the fields that a person does not see.
func (b *Browser) hidden() url.Values {
	fields := url.Values{}
	for _, tag := range input.FindAllString(b.Page, -1) {
		found := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
			found[a[1]] = html.UnescapeString(a[2])
		}
		if found["type"] == "hidden" && found["name"] != "" {
			fields.Add(found["name"], found["value"])
		}
	}
	return fields
}

// Do sends a request as a page's script would, and shows the answer.
func (b *Browser) Do(t *testing.T, request *http.Request) {
	t.Helper()
	response, err := b.client.Do(request)
	b.show(t, response, err)
}

func (b *Browser) show(t *testing.T, response *http.Response, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if to, err := response.Location(); err == nil && strings.HasPrefix(to.String(), Callback) {
		b.At, b.Page = to, ""
		return
	}
	page, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", response.Request.URL.Path, response.Status, page)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.At, b.Page = response.Request.URL, string(page)
}
