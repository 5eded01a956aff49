package verify

import (
	"context"
	"errors"
	"net/http"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const adviceIDToken = "The client sends its ID token. Have it send the access token (\"access_token\" in the issuer's answer), and ask the issuer for one for this server. If this server is meant to take ID tokens, describe them: TokenTypes with \"JWT\", and the client's ID as audience."

// ErrLookup is the cause of the refusal of a token whose issuer the program should have
// found.
var ErrLookup = errors.New("cannot be looked up (Config.FindIssuer)")

// errNoKeyID is the cause of the refusal of a token that has to name its key.
var errNoKeyID = errors.New("it names no key")

// errNeverAccepted is the cause of the refusal of a token whose algorithm no description of an
// issuer may list.
var errNeverAccepted = errors.New("no setting permits it")

// errOtherAlgorithm is the cause of the refusal of a token whose issuer may use its algorithm,
// and not with this key.
var errOtherAlgorithm = errors.New("the key is for another")

// closerAdvices say more than the table of refusals does where the cause of a refusal is known.
// The first that fits counts.
var closerAdvices = []struct {
	err, cause error
	advice     string
}{
	{refusal.ErrUnknownKey, errSkippedKey, "The issuer publishes this key, but it cannot be used here; every token under it is refused. Mend the key in the issuer's key set, or let the issuer sign with another one."},

	{refusal.ErrUnknownKey, errNoKeyID, "The tokens of this issuer that are for servers name their key in the header (\"kid\"), and this one does not: it is of another kind, or somebody else's. Get a fresh token from the issuer."},

	{refusal.ErrAlgorithm, errNeverAccepted, "No setting accepts this algorithm: of HS256 and its like, whoever can verify a token can make one; with \"none\", anybody can; others are unknown here. Let the issuer sign with one that is listed here."},
	{refusal.ErrAlgorithm, errOtherAlgorithm, "The issuer's tokens may have this algorithm, and the key that is named here cannot: it is of another kind, or published for another one (\"alg\"), and no setting changes that. Get a fresh token from the issuer; if that fares no better, compare its key set with what it signs with."},

	{refusal.ErrKeysUnavailable, errSkippedKey, "The issuer answers, and publishes the token's key in a form that cannot be used here, and no other key. Mend the key in the issuer's key set, or let the issuer sign with another one."},

	{refusal.ErrSignature, errSignatureRemoved, "Cloud Run has checked the token and taken its signature out before passing it on, so that nobody can verify it again. Send the token for Cloud Run's own check in the header X-Serverless-Authorization: it then leaves Authorization as it is."},
	{refusal.ErrSignature, errHeaderNonce, "Tokens with \"nonce\" in their header, as Microsoft issues them for Microsoft Graph, can be verified by the service they are meant for alone. Ask the issuer for a token for this server: with a scope of its own, \"api://…\", instead of one of Microsoft Graph's."},
	{refusal.ErrSignature, errSignatureLength, "The signature was cut or replaced on the way, or belongs to another token. Compare the token with the one that the issuer gave out."},
	{refusal.ErrSignature, errNoKeyFits, "The token names no key, and none of those that the issuer publishes made its signature. Its key may have been taken back: then a fresh token helps. If it does not, compare the issuer's key set with the key that it signs with, and the token's \"iss\" with where it comes from."},

	{refusal.ErrTokenType, policy.ErrNotOpaque, "The issuer's description is of opaque tokens alone (Issuer.Introspect), about which it is asked. If its JWTs are for this server too, describe them by themselves, with another Issuer.Name."},

	{refusal.ErrRevoked, policy.ErrInactive, "The issuer says no more than that the token is not active (RFC 7662, section 2.2): revoked, expired, another issuer's, or one that it does not tell this server of. If a fresh token fares no better, check that Issuer.Introspect asks where the token comes from, and that the issuer lets this server ask about it."},

	{refusal.ErrTokenType, claims.ErrBinding, "This is about what the token is bound to (\"cnf\"), a key or a certificate, which its bearer has to prove. Config.DPoP takes the proofs of keys, Config.Certificate those of certificates, and Issuer.Bound says whether tokens have to be bound, or must not be. Set what is missing, or let the client ask the issuer for a token that is bound as it is wanted here."},

	{refusal.ErrTokenType, policy.ErrTicket, "A ticket opens one connection of a database, and is no token: give it to Authenticator.AuthenticateTicket, and send the token itself where one is wanted."},

	{refusal.ErrAudience, policy.ErrIDToken, adviceIDToken},
	{refusal.ErrAudience, policy.ErrNoAudience, "The token says of nobody that it is for them. Ask the issuer for a token for this server (audience or resource parameter). Of an issuer that never puts \"aud\" in, another claim may say whom a token is for (Issuer.AudienceClaim), or keys that it uses for this server alone (Issuer.DedicatedKeys)."},
	{refusal.ErrTokenType, policy.ErrIDToken, adviceIDToken},
	{refusal.ErrRule, policy.ErrIDToken, adviceIDToken},

	{refusal.ErrKeysUnavailable, ErrLookup, "This says nothing about the token: Config.FindIssuer returned an error, or no answer in time. The server's log has it; see to whom that function asks."},
	{refusal.ErrKeysUnavailable, keyset.ErrPostponed, "This says nothing about the token: its key is not among those in hand, and the issuer was asked for others a moment ago, for another token. It is asked again in some seconds: try again then. If this goes on, somebody sends tokens with key IDs that the issuer never had."},
	{refusal.ErrKeysUnavailable, keyset.ErrNoUsableKey, "The issuer answers, and publishes no key that can verify a token here: see the reasons in its key set (\"oidcauth keys\", Authenticator.Keys). Some issuers make their first key when somebody signs in for the first time."},
	{refusal.ErrKeysUnavailable, keyset.ErrDocument, "An answer arrived from the key set's address, and it is no key set. Check where Issuer.Keys.JWKSURL, or \"jwks_uri\" in the discovery document, leads."},
	{refusal.ErrKeysUnavailable, fetch.ErrOtherIssuer, "The discovery document arrived, and it states another issuer. If both are names of the same issuer, give the one in Issuer.URL and the other in Issuer.Aliases. If it is another issuer's document, correct Issuer.URL or Issuer.Keys.DiscoveryURL."},
	{refusal.ErrKeysUnavailable, fetch.ErrDiscovery, "The discovery document arrived, and cannot be used as it stands. Mend it at the issuer, or set Issuer.Keys.JWKSURL to where the keys are: then no document is needed."},
	{refusal.ErrKeysUnavailable, fetch.ErrRedirect, "The issuer's server answers with a redirect that is not followed. Set Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL to the address that it leads to."},
	{refusal.ErrKeysUnavailable, fetch.ErrContentType, "An answer arrived, and it is not JSON: a web page perhaps, of a proxy or a login. Open the address that is named here; set Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL to where the document is."},
	{refusal.ErrKeysUnavailable, fetch.ErrTooLarge, "The answer is larger than any key set. Check where Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL leads."},
	{refusal.ErrKeysUnavailable, fetch.ErrURL, "The address that is named here is not one that keys are fetched from. Set Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL to a URL with https."},
	{refusal.ErrKeysUnavailable, context.Canceled, "This says nothing about the token: whoever sent it left before the issuer's keys arrived."},
	{refusal.ErrKeysUnavailable, context.DeadlineExceeded, "This says nothing about the token: the time that its check was given ended before the issuer's keys arrived."},
}

// settings are the fields that decide whether a token passes which is refused with err. Where
// a closer advice fits it is something else that does, and the advice names it.
var settings = []struct {
	err  error
	name string
}{
	{refusal.ErrUnknownIssuer, "Issuers"},
	{refusal.ErrAudience, "Audiences"},
	{refusal.ErrTokenType, "TokenTypes"},
	{refusal.ErrAlgorithm, "Algorithms"},
	{refusal.ErrExpired, "Leeway"},
	{refusal.ErrNotYetValid, "Leeway"},
	{refusal.ErrIssuedInFuture, "Leeway"},
}

// advise returns what a person may do about a refusal, and the setting that decides.
func advise(err error) (advice, setting string) {
	if status, answered := errors.AsType[*fetch.StatusError](err); answered && errors.Is(err, refusal.ErrKeysUnavailable) {
		return adviceForStatus(status.Status), ""
	}
	for _, a := range closerAdvices {
		if errors.Is(err, a.err) && errors.Is(err, a.cause) {
			return a.advice, ""
		}
	}
	general := refusal.Find(err)
	for _, s := range settings {
		if general.Err == s.err {
			setting = s.name
		}
	}
	return general.Advice, setting
}

// adviceForStatus is for an issuer that answers, with a status that carries no
// document.
func adviceForStatus(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "The issuer's server answers, and does not give the document to everybody. Let it: key sets and discovery documents are public. In Kubernetes that takes a binding of the role system:service-account-issuer-discovery."
	case status == http.StatusNotFound, status == http.StatusGone:
		return "The issuer's server answers, and has no document at this address. Check Issuer.URL, path and trailing slash included, or set Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL to where the document is."
	case status == http.StatusTooManyRequests, status >= 500:
		return "This says nothing about the token: the issuer's server answers that it cannot serve its document at present. It is asked again by itself; look at the issuer if it goes on."
	}
	return "The issuer's server answers, but not with a document. Open the address that is named here; set Issuer.Keys.DiscoveryURL or Issuer.Keys.JWKSURL to where the document is."
}
