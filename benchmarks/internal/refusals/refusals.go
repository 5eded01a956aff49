// Package refusals holds tokens that a verifier should refuse, each with one
// fault and a name for it. The names are the words in which the comparison
// says what a library leaves to its user.
package refusals

import (
	"fmt"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// The faults, by the check that finds them.
const (
	Forged          = "signature by another key"
	None            = "algorithm none"
	PublicKeyAsHMAC = "HMAC with the public key"
	OtherAlgorithm  = "algorithm other than the key's own"
	Expired         = "expired"
	NoExpiry        = "no expiry"
	NotYetValid     = "not valid before an hour from now"
	IssuedInFuture  = "issued an hour from now"
	WrongIssuer     = "wrong issuer"
	WrongAudience   = "wrong audience"
	NoAudience      = "no audience"
	NoSubject       = "no subject"
	TokenType       = "token of another type (typ logout+jwt)"
	Critical        = "unknown critical header"
	DuplicateName   = "claim given twice"
	OtherCase       = "claim name in another case taken for the claim"
	ExpiryAsString  = "expiry as a JSON string"
	TrailingBits    = "non-canonical base64url"
	LineBreak       = "line break inside the token"
)

// Case is a token with one fault.
type Case struct {
	Name string
	// Token makes the token, signed well unless the signature is the fault.
	Token func(*idp.Issuer) (string, error)
	// Subject is what a verifier that lets the token pass must not report;
	// empty when letting it pass is the fault itself.
	Subject string
}

// Admin is the subject that a token of the case [OtherCase] tries to become.
const Admin = "admin"

// All returns every case.
func All() []Case {
	return []Case{
		{Name: Forged, Token: forged},
		{Name: None, Token: none},
		{Name: PublicKeyAsHMAC, Token: publicKeyAsHMAC},
		{Name: OtherAlgorithm, Token: otherAlgorithm},
		claims(Expired, dates(`"exp":%d`, -10*time.Minute)),
		claims(NoExpiry, drop(`"exp":`)),
		claims(NotYetValid, dates(`"nbf":%d`, time.Hour)),
		claims(IssuedInFuture, dates(`"iat":%d`, time.Hour)),
		claims(WrongIssuer, swap(`"iss":"`, `"iss":"https://other.example.com/`)),
		claims(WrongAudience, swap(idp.Audience, "https://other.example.com")),
		claims(NoAudience, drop(`"aud":`)),
		claims(NoSubject, drop(`"sub":`)),
		header(TokenType, swap(`"typ":"JWT"`, `"typ":"logout+jwt"`)),
		header(Critical, swap(`{`, `{"crit":["exp2"],"exp2":1,`)),
		claims(DuplicateName, swap(`"sub":`, `"sub":"admin","sub":`)),
		otherCase(),
		claims(ExpiryAsString, quoteExpiry),
		{Name: TrailingBits, Token: trailingBits},
		{Name: LineBreak, Token: lineBreak},
	}
}

// Names returns the names of all cases but those given.
func Names(but ...string) []string {
	var names []string
	for _, c := range All() {
		if !contains(but, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// otherCase is the one case in which a verifier may accept the token, if it
// only sees that "SUB" is not "sub".
func otherCase() Case {
	c := claims(OtherCase, swap(`"jti":`, `"SUB":"`+Admin+`","jti":`))
	c.Subject = Admin
	return c
}

// edit changes a header or a payload.
type edit func(string) (string, error)

// claims is a case in which the payload is changed before it is signed.
func claims(name string, change edit) Case {
	return Case{Name: name, Token: func(i *idp.Issuer) (string, error) {
		payload, err := change(i.Payload(0))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		return i.Key(idp.RS256).Sign(i.Header(idp.RS256), payload)
	}}
}

// header is a case in which the header is changed before it is signed.
func header(name string, change edit) Case {
	return Case{Name: name, Token: func(i *idp.Issuer) (string, error) {
		changed, err := change(i.Header(idp.RS256))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		return i.Key(idp.RS256).Sign(changed, i.Payload(0))
	}}
}

// swap replaces the first occurrence of old.
func swap(old, new string) edit {
	return func(s string) (string, error) {
		if !strings.Contains(s, old) {
			return "", fmt.Errorf("no %s in the token", old)
		}
		return strings.Replace(s, old, new, 1), nil
	}
}

// drop renames a member, so that the token is without it.
func drop(name string) edit {
	return swap(name, strings.Replace(name, `"`, `"without_`, 1))
}

// dates replaces a date by one that lies d from now.
func dates(format string, d time.Duration) edit {
	name, _, _ := strings.Cut(format, "%")
	return func(s string) (string, error) {
		before, rest, found := strings.Cut(s, name)
		end := strings.IndexByte(rest, ',')
		if !found || end < 0 {
			return "", fmt.Errorf("no %s in the token", name)
		}
		return before + fmt.Sprintf(format, time.Now().Add(d).Unix()) + rest[end:], nil
	}
}

func quoteExpiry(s string) (string, error) {
	before, rest, found := strings.Cut(s, `"exp":`)
	end := strings.IndexByte(rest, ',')
	if !found || end < 0 {
		return "", fmt.Errorf("no expiry in the token")
	}
	return before + `"exp":"` + rest[:end] + `"` + rest[end:], nil
}
