package supplement

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// ErrAnswer says that an answer arrived that cannot be one: a fault of the program.
var ErrAnswer = errors.New("answer not accepted")

// Registered are the names that no answer may have: claims by which tokens are
// judged, or that say who is the caller, who acts for them, how and when they signed
// in, and what the token is good for.
var Registered = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", // RFC 7519, section 4.1
	"azp", "nonce", "auth_time", "acr", "amr", "at_hash", "c_hash", "s_hash", // OpenID Connect Core 1.0
	"sid", "events", "txn", "toe", "sub_id", // logout and security event tokens
	"cnf",                                  // RFC 7800
	"act", "may_act", "scope", "client_id", // RFC 8693
	"authorization_details",                   // RFC 9396
	"scp", "token_use", "hex_identity", "gty", // of single issuers
}

// accept returns the text of an answer that can be one.
func (a *Asker) accept(given json.RawMessage) (string, error) {
	if len(given) == 0 && !a.cfg.Whole {
		return "", nil
	}
	if len(given) > a.cfg.MaxBytes {
		return "", fmt.Errorf("%w: got %d bytes, want %d at most", ErrAnswer, len(given), a.cfg.MaxBytes)
	}
	text := string(given)
	if a.cfg.Whole {
		_, err := jws.ParseObject(nil, text)
		if err != nil {
			err = fmt.Errorf("%w: %s", ErrAnswer, jws.Rule(err))
		}
		return text, err
	}
	return text, Check(text, a.cfg.Reserved)
}

// Check returns an error unless text is a JSON object by the rules for payloads,
// without a name that is registered or reserved.
func Check(text string, reserved []string) error {
	members, err := jws.ParseObject(nil, text)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrAnswer, jws.Rule(err))
	}
	for _, m := range members {
		if slices.Contains(Registered, m.Name) || slices.Contains(reserved, m.Name) {
			return fmt.Errorf("%w: got %s, which is for the token alone to say", ErrAnswer, refusal.Quote(m.Name))
		}
	}
	return nil
}

// partBytes is how long a part of a token is at least that says something.
const partBytes = 16

// holds reports whether a text has a token in it, or what its header is followed by,
// as it is or in the forms that it is sent in.
func holds(text, token string) bool {
	forms := append(inBase64(token), token, url.QueryEscape(token), url.PathEscape(token))
	if _, parts, isJWT := strings.Cut(token, "."); isJWT {
		for part := range strings.SplitSeq(parts, ".") {
			if len(part) >= partBytes {
				forms = append(forms, part)
			}
		}
	}
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// inBase64 returns what stands of a token in any text in base64 that has it, whatever
// stands around it: such as "Basic", which has a name and a password.
func inBase64(token string) (forms []string) {
	for skipped := range min(3, len(token)) {
		whole := []byte(token[skipped:])
		whole = whole[:len(whole)-len(whole)%3]
		if len(whole) > 0 {
			forms = append(forms, base64.RawStdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole))
		}
	}
	return forms
}

// withoutToken keeps the token out of an error's text.
func withoutToken(err error, token string) error {
	switch {
	case !holds(err.Error(), token):
		return err
	case errors.Is(err, refusal.ErrRevoked):
		return refusal.ErrRevoked
	}
	return errNoToken
}
