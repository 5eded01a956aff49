package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What can be seen of a token whose signature is bad, beside that. None of it
// decides anything.
var (
	errNoKeyFits        = errors.New("none of the issuer's keys made it")
	errSignatureRemoved = errors.New("it was taken out on the way")
	errSignatureLength  = errors.New("it is no signature of the issuer's keys by its length")
	errHeaderNonce      = errors.New("the header has a nonce, as in tokens for Microsoft Graph")
)

// badSignature returns the refusal of a token that no candidate has signed.
func (e *Evaluation) badSignature() error {
	got, cause := "a signature by another key", error(nil)
	switch signature := e.Raw[strings.LastIndexByte(e.Raw, '.')+1:]; {
	case strings.HasPrefix(signature, "SIGNATURE_REMOVED"):
		got, cause = refusal.Quote(signature)+" instead of a signature", errSignatureRemoved
	case e.headerHas("nonce"):
		cause = errHeaderNonce
	case !e.Token.KeyID.Has: // whose key may have been of another length
		got, cause = "no key ID, and a signature by another key", errNoKeyFits
	case !slices.ContainsFunc(e.Candidates, func(k *keyset.Key) bool { return k.CanHaveSigned(&e.Token) }):
		got = fmt.Sprintf("a signature of %d bytes", base64.RawURLEncoding.DecodedLen(len(signature)))
		cause = errSignatureLength
	}
	r := refusal.New(refusal.Signature, refusal.ErrSignature, got, "one by the issuer's key "+DescribeKeys(e.Candidates)+e.otherwiseSkipped())
	if cause != nil {
		r.Err = refusal.With(refusal.ErrSignature, cause)
	}
	return r
}

// headerHas reports whether the token's header has the member.
func (e *Evaluation) headerHas(name string) bool {
	encoded, _, _ := strings.Cut(e.Raw, ".")
	header, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	members, err := jws.ParseObject(nil, string(header))
	_, found := jws.Find(members, name)
	return err == nil && found
}

// otherwiseSkipped names the published key that may have made the signature though
// it is not among the candidates: without a key ID it may be any that is not
// usable here, with one another that bears it.
func (e *Evaluation) otherwiseSkipped() string {
	if e.Token.KeyID.Has {
		if why, skipped := e.skippedKey(); skipped {
			return "; another key with this ID is " + why
		}
		return ""
	}
	if summary := e.Trust.Keys.SkippedSummary(); summary != "" {
		return "; others are published, not usable here, because: " + summary
	}
	return ""
}
