package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	maxRedirects = 3
	maxETagBytes = 1024
)

// Request is what a fetch may vary. The zero value asks for the document as any
// cache on the way may have it.
type Request struct {
	// ETag is that of the copy at hand: a server that has nothing newer then
	// answers without a body. Empty asks for the body in any case, and so does
	// one that cannot be sent.
	ETag string

	// NoCache asks caches on the way to fetch the document anew.
	NoCache bool

	// MaxBytes replaces the client's size limit. Zero means the client's.
	MaxBytes int64

	// Member is the member by which the document is known: a JSON object that has
	// it is read whatever Content-Type calls it, since many a server calls
	// everything a web page. Empty means that Content-Type alone counts.
	Member string
}

// Response is a complete answer with status 200 or, if the request named an
// ETag, 304.
type Response struct {
	// Body is the decompressed body, nil if NotModified.
	Body []byte

	// NotModified says that the copy named by the request's ETag still stands.
	NotModified bool

	// ETag names this version of the document. Empty if the server named none.
	ETag string

	// MaxAge is for how long the document may be kept from now on, by
	// Cache-Control or Expires. It counts only if HasMaxAge; zero then means
	// that the server wants it asked again each time.
	MaxAge    time.Duration
	HasMaxAge bool
}

// StatusError is an answer with a status that carries no document.
type StatusError struct {
	URL        string // without its query
	Status     int
	RetryAfter time.Duration // zero if the server named none
	Withheld   string        // where the client's credential is sent instead, if it has one; else empty
}

// Error names the URL and the status.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("get %s: got status %d, want 200", quote.Value(e.URL), e.Status)
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(", retry after %v", e.RetryAfter)
	}
	if e.Withheld != "" && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
		s += fmt.Sprintf("; the credential is sent to %s alone", quote.Value(e.Withheld))
	}
	return s
}

// Get fetches the document at rawURL. It returns within the client's time limit,
// and promptly when ctx ends, then with an error that is that of ctx.
func (c *Client) Get(ctx context.Context, rawURL string, req Request) (*Response, error) {
	resp, err := c.get(ctx, rawURL, req)
	if err != nil {
		return nil, c.outward(err)
	}
	return resp, nil
}

func (c *Client) get(ctx context.Context, rawURL string, req Request) (*Response, error) {
	u, err := c.parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.roundTrip(limited, u, req)
	var status *StatusError
	switch {
	case err == nil:
		return resp, nil
	case errors.As(err, &status):
		return nil, err // it names the URL itself
	case isVerdict(err):
		return nil, fmt.Errorf("get %s: %w", show(u), err)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("get %s: %w", show(u), ctx.Err())
	case limited.Err() != nil:
		// The cause is left out: the caller's own deadline has not passed.
		return nil, fmt.Errorf("get %s: %w: limit is %v", show(u), ErrTimeout, c.timeout)
	}
	return nil, fmt.Errorf("get %s: %w", show(u), quote.Error(quote.WithoutURL(err)))
}

// isVerdict reports whether an answer came and was refused.
func isVerdict(err error) bool {
	return errors.Is(err, ErrRedirect) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrContentType)
}

func (c *Client) roundTrip(ctx context.Context, u *url.URL, req Request) (*Response, error) {
	hr := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: req.header()}).WithContext(ctx)
	if err := c.credential.add(hr); err != nil {
		return nil, err
	}
	conditional := hr.Header.Get("If-None-Match") != ""
	resp, err := c.http.Do(hr)
	if err != nil {
		if errors.Is(err, ErrRedirect) {
			return nil, quote.WithoutURL(err)
		}
		return nil, err
	}
	defer resp.Body.Close()

	out := &Response{ETag: etag(resp.Header)}
	out.MaxAge, out.HasMaxAge = freshness(resp.Header, time.Now())
	switch {
	case resp.StatusCode == http.StatusNotModified && conditional:
		out.NotModified = true
		if out.ETag == "" {
			out.ETag = req.ETag
		}
		return out, nil
	case resp.StatusCode != http.StatusOK:
		return nil, &StatusError{
			URL:        location(u),
			Status:     resp.StatusCode,
			RetryAfter: retryAfter(resp.Header, time.Now()),
			Withheld:   c.credential.withheld(u),
		}
	}
	mistyped := checkContentType(resp.Header)
	if mistyped != nil && req.Member == "" {
		return nil, mistyped
	}
	limit := c.maxBytes
	if req.MaxBytes > 0 {
		limit = req.MaxBytes
	}
	out.Body, err = readBody(resp, limit)
	if err != nil {
		return nil, err
	}
	out.Body = bytes.TrimPrefix(out.Body, []byte("\ufeff")) // a byte order mark means nothing in UTF-8
	if mistyped != nil && !hasMember(out.Body, req.Member) {
		return nil, mistyped
	}
	return out, nil
}

// hasMember reports whether body is a JSON object with the member.
func hasMember(body []byte, name string) bool {
	members, err := topLevel(body)
	_, found := members[name]
	return err == nil && found
}

// header is what a request says of itself.
func (r Request) header() http.Header {
	h := http.Header{}
	h.Set("Accept", "application/json, application/jwk-set+json, */*;q=0.1")
	// Asked for by hand, so that the compressed bytes can be counted too.
	h.Set("Accept-Encoding", "gzip")
	h.Set("User-Agent", userAgent)
	if r.NoCache {
		h.Set("Cache-Control", "no-cache")
	}
	if r.ETag != "" && len(r.ETag) <= maxETagBytes && isHeaderValue(r.ETag) {
		h.Set("If-None-Match", r.ETag)
	}
	return h
}

// checkRedirect is asked by net/http before each hop.
func (c *Client) checkRedirect(next *http.Request, via []*http.Request) error {
	if _, err := c.parseURL(next.URL.String()); err != nil {
		return fmt.Errorf("%w: %w", ErrRedirect, err)
	}
	if !sameOrigin(via[0].URL, next.URL) {
		return fmt.Errorf("%w: leads to another scheme, host or port: %s", ErrRedirect, show(next.URL))
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d in a row", ErrRedirect, maxRedirects)
	}
	return nil
}

// readBody returns the decompressed body. It holds no more than limit bytes, and
// takes no more than limit bytes from the network.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	limit = min(limit, math.MaxInt64-1) // one more must fit
	tooLarge := fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	if resp.ContentLength > limit {
		return nil, tooLarge
	}
	wire := &io.LimitedReader{R: resp.Body, N: limit + 1}
	var body io.Reader = wire
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case encoding == "" || strings.EqualFold(encoding, "identity"):
	case strings.EqualFold(encoding, "gzip"):
		zr, err := gzip.NewReader(wire)
		if err != nil {
			return nil, &bodyError{err}
		}
		body = zr
	default:
		return nil, fmt.Errorf("%w: content encoding is %s, want gzip or none", ErrContentType, quote.Value(encoding))
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(b)) > limit || wire.N <= 0 {
		return nil, tooLarge
	}
	if err != nil {
		return nil, &bodyError{err}
	}
	return b, nil
}

// bodyError is an answer that broke off.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }
