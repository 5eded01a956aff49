// Package oauthbearer is the server's side of the SASL mechanism OAUTHBEARER (RFC
// 7628), by which PostgreSQL's clients sign in with a token since version 18. It has
// the messages and knows nothing of connections, of tokens and of this module's other
// packages.
//
// A server of PostgreSQL's protocol offers [Mechanism] in AuthenticationSASL, and reads
// the SASLInitialResponse with [Parse]. If the token is accepted it answers
// AuthenticationOk. If there is none, or it is refused, it sends
// [Challenge.Message] in AuthenticationSASLContinue, waits for the SASLResponse, which
// must be [Acknowledged], and ends the connection with an error.
//
// libpq first comes without a token, to learn from the challenge where to get one,
// unless it was given its issuer's discovery document before. That is no failed
// attempt, and a server that counts these must not count it.
package oauthbearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Mechanism is the name of the mechanism.
const Mechanism = "OAUTHBEARER"

const (
	separator = "\x01" // kvsep
	scheme    = "bearer"
)

var (
	// ErrMalformed says that a message is not one of the mechanism's.
	ErrMalformed = errors.New("oauthbearer: malformed message")

	// ErrUnsupported says that a client asks for what no server with this package
	// does: channel binding, or to act as somebody else than its token says.
	ErrUnsupported = errors.New("oauthbearer: not supported")
)

// A Request is what a client's initial response says. Printed, or as JSON, it shows no
// token.
type Request struct {
	// Token is the bearer token, or empty if the client asks where to get one.
	Token string

	// Host and Port are those that the client believes to have reached, as it wrote
	// them; empty if it does not say.
	Host, Port string
}

// Format prints the request without its token, whatever the verb.
func (r Request) Format(f fmt.State, _ rune) {
	token := "none"
	if r.Token != "" {
		token = "some"
	}
	fmt.Fprintf(f, "{token: %s, host: %q, port: %q}", token, r.Host, r.Port)
}

// MarshalText implements [encoding.TextMarshaler], for logs in JSON: it returns what
// Format prints.
func (r Request) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }

// Parse reads a client's initial response (RFC 7628, section 3.1). The error is an
// [ErrMalformed] or [ErrUnsupported], and repeats nothing of the message. It takes
// time in proportion to the message, which the caller bounds.
//
// A name that stands twice is an error, and so is anything behind the end. Names that
// are not known are ignored, as the RFC wants; their values must have the right form.
func Parse(initial []byte) (Request, error) {
	header, rest, found := strings.Cut(string(initial), separator)
	if !found {
		return Request{}, malformed("no key/value pairs")
	}
	if err := checkHeader(header); err != nil {
		return Request{}, err
	}
	pairs, err := readPairs(rest)
	if err != nil {
		return Request{}, err
	}
	auth, found := pairs["auth"]
	if !found {
		return Request{}, malformed("no \"auth\"")
	}
	r := Request{Host: pairs["host"], Port: pairs["port"]}
	r.Token, err = readToken(auth)
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// checkHeader reads a GS2 header (RFC 5801, section 4): a client without channel
// binding, which knows of none ("n") or believes that the server does ("y"), and no
// authorization identity.
func checkHeader(header string) error {
	flag, identity, _ := strings.Cut(header, ",")
	switch {
	case !strings.HasSuffix(identity, ","):
		return malformed("GS2 header")
	case strings.HasPrefix(flag, "p="):
		return fmt.Errorf("%w: channel binding", ErrUnsupported)
	case flag != "n" && flag != "y":
		return malformed("GS2 header")
	case identity == ",":
		return nil
	case strings.HasPrefix(identity, "a="):
		return fmt.Errorf("%w: an authorization identity", ErrUnsupported)
	}
	return malformed("GS2 header")
}

// readPairs reads the key/value pairs, each with a separator behind it, and the
// separator behind them all.
func readPairs(text string) (map[string]string, error) {
	pairs := make(map[string]string)
	for {
		pair, rest, found := strings.Cut(text, separator)
		switch {
		case !found:
			return nil, malformed("no end")
		case pair == "" && rest != "":
			return nil, malformed("something behind the end")
		case pair == "":
			return pairs, nil
		}
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" || strings.ContainsFunc(key, notLetter) {
			return nil, malformed("key")
		}
		if strings.ContainsFunc(value, notValue) {
			return nil, malformed("value")
		}
		if _, twice := pairs[key]; twice {
			return nil, malformed("a key that stands twice")
		}
		pairs[key] = value
		text = rest
	}
}

// readToken reads what stands in an Authorization header (RFC 6750, section 2.1), or
// nothing.
func readToken(auth string) (string, error) {
	if auth == "" {
		return "", nil
	}
	name, token, _ := strings.Cut(auth, " ")
	if !strings.EqualFold(name, scheme) {
		return "", malformed("another scheme than Bearer")
	}
	token = strings.TrimLeft(token, " ")
	body := strings.TrimRight(token, "=")
	if body == "" || strings.ContainsFunc(body, notToken) {
		return "", malformed("token")
	}
	return token, nil
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// notValue reports what no value has: VCHAR, space, tab, CR and LF may be in one.
func notValue(r rune) bool {
	return (r < ' ' || r > '~') && r != '\t' && r != '\r' && r != '\n'
}

// notToken reports what no token has, "=" at its end aside (b64token).
func notToken(r rune) bool {
	return notLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// A Challenge tells a client that its token is not accepted, and where to get one. Its
// fields are the server's own settings and nothing of a request.
type Challenge struct {
	// Discovery is the address of the issuer's discovery document, for instance
	// "https://login.example.com/.well-known/openid-configuration". libpq takes what
	// stands in front of "/.well-known/" for the issuer, compares it with the document
	// and with its user's oauth_issuer, and gives up where they differ. An issuer whose
	// name ends in a slash can therefore not be named: clients of such an issuer need
	// a token from elsewhere. Empty names none.
	Discovery string

	// Scope is what to ask for, names with spaces between. Empty leaves it to the
	// client.
	Scope string
}

// Message returns the text of the challenge (RFC 7628, section 3.2.2). Its status is
// "invalid_token" whatever was wrong: of any other libpq shows its user nothing else.
func (c Challenge) Message() []byte {
	text, _ := json.Marshal(struct { // strings always have a form in JSON
		Status    string `json:"status"`
		Scope     string `json:"scope,omitempty"`
		Discovery string `json:"openid-configuration,omitempty"`
	}{"invalid_token", c.Scope, c.Discovery})
	return text
}

// Acknowledged reports whether a response is the one that must follow a challenge (RFC
// 7628, section 3.2.3). The exchange has failed in any case.
func Acknowledged(response []byte) bool { return string(response) == separator }
