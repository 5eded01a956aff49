package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/oidcauth/oidcauth/internal/extract"
)

// An Extractor takes the token out of a request, in both senses: it returns the
// token, and removes it from the request so that no handler or access log that
// comes later sees it. It returns [ErrNoToken] when the request carries none in
// the place it looks at, [ErrMalformedRequest] when it carries two that differ or
// carries it wrongly, and [ErrOrigin] when it may not be used from where the
// request comes. The same token twice is one token, and both copies are removed.
// One of the program's own that cannot tell, since its store is not there, returns an
// error that wraps [ErrAnswerUnavailable], which is answered with 503; an error that is
// none of this package's is answered with 500. It must be safe for concurrent use, as
// those of this package are.
//
// Those of this package that are made with arguments that can never be right, such
// as an empty name, refuse every request with an error that says so. [New] returns
// that error: it asks each extractor with an empty request, and so does [FirstOf].
type Extractor func(r *http.Request) (token string, err error)

// BearerToken takes the token from the Authorization header (RFC 6750, section
// 2.1). Another scheme than Bearer counts as no token and stays in the request.
func BearerToken(r *http.Request) (string, error) { return extract.Bearer(r) }

// SubprotocolToken takes the token from the subprotocols that a WebSocket client
// offers, the one list that a browser lets its page fill in. One of them is
// "bearer." followed by the token, encoded in base64url without padding; beside
// it stands at least one subprotocol of the application, which alone is left
// for the server to choose and echo:
//
//	new WebSocket(url, ["messages.v1", "bearer." + base64url(token)])
func SubprotocolToken(r *http.Request) (string, error) { return extract.Subprotocol(r) }

// SubprotocolForm takes the token from the subprotocols that a WebSocket client
// offers, in the form of a published client that does not know that of
// [SubprotocolToken]. The token is what follows prefix in one of them or, paired,
// the whole of the one that follows the subprotocol called prefix:
//
//	SubprotocolForm("bearer", true)                                      // ["bearer", token]
//	SubprotocolForm("v1.token.websocket.jupyter.org.", false)            // Jupyter
//	SubprotocolForm("base64url.bearer.authorization.k8s.io.", false)     // Kubernetes
//	SubprotocolForm("", false)                                           // [token], if it is a JWT
//
// It stands as it is, or in base64url without padding where it is a JWT. What is left
// for the server to choose and echo are the others, the name before the token among
// them: a browser insists on one, and must never get the token back. A name is
// compared exactly; one that no subprotocol can have is an error of [New], and so is
// none where paired. In [FirstOf] the form without prefix has its place behind the
// paired ones: the token of these is a subprotocol that is a JWT, too.
func SubprotocolForm(prefix string, paired bool) Extractor {
	return orInvalid(extract.SubprotocolForm(prefix, paired))
}

// HeaderToken takes the token from the header of the given name, in which a proxy
// hands it on: "Cf-Access-Jwt-Assertion", "X-Goog-Iap-Jwt-Assertion",
// "X-Amzn-Oidc-Accesstoken", "X-Forwarded-Access-Token". It stands there alone, or
// behind the scheme Bearer. Whoever reaches the server past the proxy can set the
// header as well, and gains no more than by any other place: the token is verified
// all the same. An empty header counts as none.
//
// A name that no header can have is an error of [New], and so are Authorization,
// Cookie and Sec-WebSocket-Protocol, which have extractors of their own.
func HeaderToken(name string) Extractor { return orInvalid(extract.Header(name)) }

// CookieToken takes the token from the cookie of the given name.
//
// A browser sends cookies with requests that other sites' pages make. So a
// request that opens a WebSocket or is neither GET, HEAD nor OPTIONS must bear
// an Origin header with one of the origins, such as "https://app.example.com",
// and any other request must not bear one with a different value.
//
// A name that no cookie can have and an origin that no browser sends, such as one
// that ends with a slash, are errors of [New]. Without origins a request that
// bears an Origin, or has to, is refused.
func CookieToken(name string, origins ...string) Extractor {
	return orInvalid(extract.Cookie(name, origins))
}

// QueryToken takes the token from the query parameter of the given name. RFC
// 6750, section 2.3, advises against it, since addresses end up in logs of
// proxies and browsers that this package cannot reach; it serves clients that
// can do no other.
//
// The parameter is removed as well from the Referer header, and from the forms
// of a request that was parsed before; there it is not looked for. An empty name
// is an error of [New].
func QueryToken(name string) Extractor { return orInvalid(extract.Query(name)) }

// FirstOf takes the token from wherever one of the extractors finds it. All of
// them are tried, so that the token is removed from every place. The same token in
// several places is one token; two that differ are malformed (RFC 6750, section
// 2), and so is a good token beside a badly written one. An extractor that returns
// neither a token nor an error has found none.
//
// A cookie whose Origin is not allowed is still refused where it stands alone. It
// counts where another place carries the same token: whoever can put it there
// knows it, which the page of another site does not. That is not so of a header
// that a proxy fills from the cookie: let the proxy check the Origin there.
//
// No extractor at all is an error of [New], and so is a nil one.
func FirstOf(extractors ...Extractor) Extractor {
	if len(extractors) == 0 {
		return invalid(errors.New("oidcauth: FirstOf: got no extractor, want one at least"))
	}
	places := make([]extract.Func, len(extractors))
	for i, e := range extractors {
		if e == nil {
			return invalid(fmt.Errorf("oidcauth: FirstOf: extractor %d of %d is nil", i+1, len(extractors)))
		}
		if err := argumentsOf(e); err != nil {
			return invalid(err)
		}
		places[i] = extract.Func(e)
	}
	return extract.First(places)
}

// orInvalid returns the extractor, or with an error one that refuses every request.
func orInvalid(e extract.Func, err error) Extractor {
	if err != nil {
		return invalid(err)
	}
	return e
}

// An argumentError is what is wrong with the arguments of an extractor.
type argumentError struct{ error }

// invalid returns an extractor that refuses every request with err, because the
// arguments that it should be made from can never be right.
func invalid(err error) Extractor {
	return func(*http.Request) (string, error) { return "", argumentError{err} }
}

// argumentsOf returns what is wrong with the arguments that an extractor was made
// from. It asks with an empty request. An extractor of the program's own may rely
// on what only a request of its server has: that it panics here says nothing of it.
func argumentsOf(e Extractor) (err error) {
	defer func() { _ = recover() }() // which leaves no error
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}, RequestURI: "/", Body: http.NoBody}
	_, got := e(r)
	if wrong, ok := errors.AsType[argumentError](got); ok {
		return wrong.error
	}
	return nil
}
