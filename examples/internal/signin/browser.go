package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

const pageLimit = 1 << 20

// Browser is a person at a browser, scripted: it follows redirects, keeps
// cookies, and fills in the login form it is shown. It is for one person and
// safe for concurrent use.
type Browser struct {
	name, password string
	client         *http.Client
}

// NewBrowser returns a browser with no cookies yet, for the person with that
// name and password.
func NewBrowser(name, password string) *Browser {
	// cookiejar.New never fails without options.
	jar, _ := cookiejar.New(nil)
	return &Browser{name: name, password: password, client: &http.Client{Jar: jar}}
}

// Open visits the address, signs in if a login form comes up, and returns when
// a page without a password field has loaded.
func (b *Browser) Open(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	page, err := b.load(request)
	if err != nil || page.password == "" {
		return err
	}
	page.values.Set(page.user, b.name)
	page.values.Set(page.password, b.password)
	request, err = http.NewRequestWithContext(ctx, http.MethodPost, page.action, strings.NewReader(page.values.Encode()))
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = b.load(request)
	return err
}

func (b *Browser) load(request *http.Request) (*form, error) {
	response, err := b.client.Do(request)
	if err != nil {
		return nil, withoutAddress(request.URL, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("signin: page %s%s: got status %d, want 200",
			response.Request.URL.Host, response.Request.URL.Path, response.StatusCode)
	}
	return readForm(response.Request.URL, io.LimitReader(response.Body, pageLimit))
}

// withoutAddress leaves out of an error the part of the address in which there
// are codes, and ID tokens when somebody signs out.
func withoutAddress(address *url.URL, err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("signin: page %s%s: %w", address.Host, address.Path, err)
}

// form is what matters of a login page.
type form struct {
	action         string // absolute
	user, password string // names of the fields; no password field, no login
	values         url.Values
}

func readForm(page *url.URL, body io.Reader) (*form, error) {
	found := &form{action: page.String(), values: url.Values{}}
	tokens := html.NewTokenizer(body)
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if err := tokens.Err(); err != io.EOF {
				return nil, fmt.Errorf("signin: login page: %w", err)
			}
			return found, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			if err := found.take(page, tokens.Token()); err != nil {
				return nil, err
			}
		}
	}
}

func (f *form) take(page *url.URL, tag html.Token) error {
	attributes := make(map[string]string)
	for _, a := range tag.Attr {
		attributes[a.Key] = a.Val
	}
	switch tag.Data {
	case "form":
		action, err := page.Parse(attributes["action"])
		if err != nil {
			return fmt.Errorf("signin: login page: %w", err)
		}
		f.action = action.String()
	case "input":
		switch name := attributes["name"]; attributes["type"] {
		case "hidden":
			f.values.Set(name, attributes["value"])
		case "password":
			f.password = name
		case "", "text", "email":
			f.user = name
		}
	}
	return nil
}
