package extract

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Query returns a function that takes the token from the query parameter of a name.
// It is removed from the Referer header too, and from the forms of a request that
// was parsed before. The error says that the name can never be right.
func Query(name string) (Func, error) {
	if name == "" {
		return nil, errors.New("oidcauth: QueryToken: got an empty name, want that of a query parameter")
	}
	return func(r *http.Request) (string, error) {
		cleanReferer(r, name)
		tokens := removeQuery(r, name)
		switch {
		case len(tokens) == 0:
			return "", noToken("a query parameter " + refusal.Quote(name))
		case !allSame(tokens):
			return "", manyTokens("several query parameters " + refusal.Quote(name) + " that differ")
		case !isToken68(tokens[0]):
			return "", malformed("a query parameter "+refusal.Quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}, nil
}

// removeQuery takes every parameter called name out of the request's address
// and returns their values.
func removeQuery(r *http.Request, name string) []string {
	rest, tokens := cutQuery(r.URL.RawQuery, name)
	if len(tokens) > 0 {
		r.URL.RawQuery = rest
		r.RequestURI = targetWith(r, rest)
		removeForm(r, name, tokens)
	}
	return tokens
}

// targetWith returns the target of a request with another query. Its path stays as it was
// written: who judges by it must see no other spelling.
func targetWith(r *http.Request, query string) string {
	if r.RequestURI == "" {
		return r.URL.RequestURI()
	}
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if query != "" {
		target += "?" + query
	}
	return target
}

// cutQuery returns a query without the parameters called name, and the values of
// these, empty for one whose escapes are wrong. The other parameters stay as
// they were written.
func cutQuery(query, name string) (rest string, values []string) {
	if !strings.Contains(query, name) && !strings.ContainsAny(query, "%+") {
		return query, nil
	}
	var others []string
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if k, err := url.QueryUnescape(key); err != nil || k != name {
			others = append(others, part)
			continue
		}
		value, _ = url.QueryUnescape(value)
		values = append(values, value)
	}
	return strings.Join(others, "&"), values
}

// removeForm takes the parameter out of what [http.Request.ParseForm] has read,
// if somebody has called that: what comes from the address, and copies of the
// tokens in the body. Another value in the body is none of the token's. There may be very
// many of both, so that they are not compared each with each; and as all are the one
// caller's, nobody learns anything from how long it takes.
func removeForm(r *http.Request, name string, tokens []string) {
	if r.Form == nil && r.PostForm == nil && r.MultipartForm == nil {
		return
	}
	taken := make(map[string]bool)
	for _, token := range tokens {
		taken[token] = true
	}
	isCopy := func(value string) bool { return taken[value] }
	removeValues(r.PostForm, name, isCopy)
	if r.MultipartForm != nil {
		removeValues(r.MultipartForm.Value, name, isCopy)
	}
	// Form is the values of PostForm and those of the address.
	switch body := r.PostForm[name]; {
	case r.Form == nil:
	case len(body) == 0:
		delete(r.Form, name)
	default:
		r.Form[name] = slices.Clone(body)
	}
}

// removeValues removes the values of that name that are meant.
func removeValues(form map[string][]string, name string, meant func(string) bool) {
	values, found := form[name]
	if !found {
		return
	}
	if values = slices.DeleteFunc(values, meant); len(values) == 0 {
		delete(form, name)
		return
	}
	form[name] = values
}

// cleanReferer takes the parameter out of the address of the page that the
// request comes from: a page that was opened with its token names it, in full, in
// each request for its images.
func cleanReferer(r *http.Request, name string) {
	for i, address := range r.Header["Referer"] {
		before, query, found := strings.Cut(address, "?")
		if !found {
			continue
		}
		query, fragment, _ := strings.Cut(query, "#") // browsers send none
		rest, tokens := cutQuery(query, name)
		if len(tokens) == 0 {
			continue
		}
		if rest != "" {
			before += "?" + rest
		}
		if fragment != "" {
			before += "#" + fragment
		}
		r.Header["Referer"][i] = before
	}
}
