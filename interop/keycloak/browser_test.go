package keycloak_test

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"
)

// browser is a person's browser, as far as Keycloak's forms need one.
type browser struct {
	client *http.Client
	at     *url.URL // of the page
	page   string
}

func newBrowser() *browser {
	return &browser{client: &http.Client{Jar: &cookies{byName: map[string]*http.Cookie{}}, Timeout: time.Minute}}
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

// open opens an address.
func (b *browser) open(t *testing.T, address string) {
	t.Helper()
	response, err := b.client.Get(address)
	b.show(t, response, err)
}

// formAction finds where the page's form goes to.
var formAction = regexp.MustCompile(`(?s)<form[^>]*\saction="([^"]+)"`)

// submit fills in the form on the page.
func (b *browser) submit(t *testing.T, fields url.Values) {
	t.Helper()
	found := formAction.FindStringSubmatch(b.page)
	if found == nil {
		t.Fatalf("no form on the page:\n%s", b.page)
	}
	action, err := b.at.Parse(html.UnescapeString(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	response, err := b.client.PostForm(action.String(), fields)
	b.show(t, response, err)
}

// signIn fills in the login form.
func (b *browser) signIn(t *testing.T) {
	t.Helper()
	b.submit(t, url.Values{"username": {"alice"}, "password": {"alice-password"}})
}

func (b *browser) show(t *testing.T, response *http.Response, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", response.Request.URL.Path, response.Status, page)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.at, b.page = response.Request.URL, string(page)
}
