package fetch

import (
	"errors"
	"net/url"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// location is u without the parts in which a secret could be: user information,
// query and fragment.
func location(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

func show(u *url.URL) string { return quote.Value(location(u)) }

// opaqueError hides a failure from whoever caused it. Its text says nothing, its
// cause everything.
type opaqueError struct{ cause error }

func (e *opaqueError) Error() string { return "no usable answer from the issuer" }
func (e *opaqueError) Unwrap() error { return e.cause }

// Cause returns what is behind an error of a client with [Config.PublicOnly], or
// behind an error that wraps one, for the operator's log. Any other error is
// returned as it is: its text hides nothing.
func Cause(err error) error {
	var opaque *opaqueError
	if errors.As(err, &opaque) {
		return opaque.cause
	}
	return err
}

// outward gives an error the form in which it may leave the client.
func (c *Client) outward(err error) error {
	if err != nil && c.guard != nil {
		return &opaqueError{cause: err}
	}
	return err
}

// isHeaderValue says whether s can be sent as the value of a header.
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
