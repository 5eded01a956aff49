package oidcauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/policy"
)

const (
	defaultLeeway        = 30 * time.Second
	defaultMaxTokenBytes = 16 << 10
	mostTokenBytes       = 1 << 30 // what is reckoned with more overflows an int of 32 bits
	defaultCacheBytes    = 64 << 20
	maxTokenLifetime     = 100 * 365 * 24 * time.Hour
)

// Config says whose tokens an [Authenticator] accepts and how. [New] copies it:
// changes made afterwards have no effect.
type Config struct {
	// Issuers are the issuers whose tokens are accepted. At least one is required
	// unless FindIssuer or AnyIssuer is set. [Authenticator.SetIssuers] replaces them
	// while the server runs.
	Issuers []Issuer

	// FindIssuer finds the descriptions of an issuer that is not among Issuers: in the
	// program's table of its customers, for instance. It is asked for the name that a
	// token has in "iss", before the signature can be checked, and must answer from what
	// it knows of its own: nothing is to be fetched from an address that a stranger
	// chose. What it returns is all the descriptions of that issuer, whose URL or alias
	// the name has to be, each whole, as for Issuers; templates, [KeySource]s and
	// [Issuer.Introspect] have their place there alone. None says that the issuer is not
	// known: tokens are refused with [ErrUnknownIssuer], and it is not asked for that name
	// again for a minute. An error, and a description that is not valid, says nothing of the
	// token: it is refused with [ErrKeysUnavailable] and the next one has it asked again; the
	// log has the error.
	//
	// It is asked once for all who wait for an answer, for 16 names at once and 100 a
	// second, after a pause as many at once, and of those who wait the caller has the
	// next turn who had none for the longest time, as with AnyIssuer. It must return when
	// ctx ends, after ten seconds at most, and be safe for concurrent use. Nil finds none.
	//
	// An answer counts for a minute and is then asked for again, in the background while
	// the issuer is in use, four at once beside those, so that a customer who was removed
	// or changed is noticed within a minute and a half; what that changes is as with
	// [Authenticator.SetIssuers]. While FindIssuer fails, or is too slow for all that are in
	// use, its last answer counts for ten minutes, half a minute more at most, and but for the
	// first no token waits for the next. To take a customer's
	// tokens back at once, call [Authenticator.Revoke] for the issuer, with IssuedBefore
	// eleven minutes ahead, so that what it issues until then is refused, too, also while
	// FindIssuer fails. Leave Until empty: with one that is near, a failure brings back
	// what has not expired by then. AnyIssuer counts for issuers that FindIssuer does not
	// find.
	//
	// Functions cannot be compared, [Issuer.Rules] and [Issuer.Supplement]: a description
	// that says the same but for them counts as unchanged, and those of the last answer
	// are called from then on. What was supplied counts for as long as AnswerAge says;
	// sessions are held to other rules at their next call.
	FindIssuer func(ctx context.Context, url string) ([]Issuer, error)

	// MaxFoundIssuers bounds how many issuers that FindIssuer has found are remembered.
	// Those are let go of that were not used for ten minutes and have no live sessions,
	// and then those of which no token was accepted; where all others are in use, tokens of
	// further ones are refused with [ErrKeysUnavailable]. Zero means 1000; negative is an
	// error.
	MaxFoundIssuers int

	// AnyIssuer, when set, accepts tokens of other issuers, too: of anybody on
	// the internet who runs one. Read its documentation first. Nil accepts the
	// tokens of Issuers only.
	AnyIssuer *AnyIssuer

	// Leeway is how far the clocks of issuer and server may differ: a token is
	// accepted until its expiry plus Leeway and from its not-before time minus
	// Leeway. Zero means 30 seconds, negative means none, and what else is not a
	// millisecond to 5 minutes is an error.
	Leeway time.Duration

	// Extract takes the token out of an HTTP request. Nil means [BearerToken]. One
	// of this package's that was made from wrong arguments is an error.
	Extract Extractor

	// Client makes the requests to the issuers. Its Transport is used, and its Timeout
	// where that is shorter than ten seconds; cookies are not. With AnyIssuer the Transport
	// must be nil or a [*http.Transport], whose connections can be checked, and whose client
	// certificates strangers are not shown. One that speaks HTTP/2 wants
	// HTTP2.SendPingTimeout, or goes on to use a connection that is dead, for a quarter of
	// an hour perhaps. Nil means a client of the package's own.
	Client *http.Client

	// Proxies are the proxies, by their addresses, whose word about callers counts:
	// the address that a request of theirs came from is then what X-Forwarded-For or
	// Forwarded (RFC 7239) says. Name only those that add to such a header, or replace
	// it, at each request. Nil means that nobody's word counts, so that a proxy's
	// callers are one caller where [AnyIssuer] accounts for them.
	Proxies []netip.Prefix

	// DPoP checks the proofs of possession (RFC 9449) that tokens need which are bound
	// to a key ("cnf" with "jkt"): see package dpop. Such a token is then accepted under
	// the scheme DPoP of the Authorization header alone, with a proof for each request,
	// and others under none but Bearer. Nil means that they are refused.
	DPoP *dpop.Verifier

	// Certificate returns the certificate of the connection that a request came over, or
	// nil, for tokens that are bound to one ("cnf" with "x5t#S256", RFC 8705): see
	// package mtls, for connections of the server's own and of proxies. It is asked about
	// such tokens alone, and must be safe for concurrent use. An error that is no
	// [*Refusal] is answered with [ErrAnswerUnavailable]. Nil means that such tokens are
	// refused.
	Certificate func(*http.Request) (*x509.Certificate, error)

	// MaxTokenBytes is the size above which a token is refused unread. Zero means
	// 16 KiB; negative is an error. More than a gibibyte counts as that.
	MaxTokenBytes int

	// CacheBytes bounds the memory of the cache of verified tokens, which spares
	// a token's second use the signature check and none of the others. Zero means
	// 64 MiB, negative means no cache. With [Issuer.Introspect] leave one: it knows which
	// opaque tokens were found good. Without it an answer serves for a second in place of
	// AnswerAge, and each question stands in the line that tokens wait in which nobody
	// knows, so that there are a hundred a second for all callers together.
	CacheBytes int64

	// KeyCacheDir is a directory that keeps each issuer's public keys, so that a
	// restart during an issuer's outage accepts tokens at once. It is created if
	// missing. Programs may share it that reach each issuer in the same place, or tell
	// the places apart by [Issuer.Keys]; but two that only have other clients there must
	// not. Nor is it noticed that a client leads elsewhere than before: where those who
	// answered there are to be trusted no more, remove the files while no program runs.
	// Empty means that keys live in memory only.
	KeyCacheDir string

	// KeepWarm fetches the keys of every issuer of Issuers and [Authenticator.SetIssuers]
	// in the background, within a second, or of very many 128 at a time, and refreshes
	// them even while no token of that issuer arrives; nobody waits for it. Those of an
	// issuer whose tokens are all opaque, which logout tokens alone need, and of one that
	// FindIssuer finds, are fetched when the first token needs them, and refreshed from
	// then on. It is nothing to AnyIssuer. False means that an unused issuer is left alone
	// and asked again when its next token comes.
	KeepWarm bool

	// ResourceMetadataURL is the address of the server's protected resource
	// metadata (RFC 9728), named in every answer with a challenge so that clients can find
	// the issuer. Empty means that challenges do not name one.
	ResourceMetadataURL string

	// WriteRefusal writes the answers of [Authenticator.Refuse] in the program's own
	// words, as problem details (RFC 9457) or a page for instance, for the refusal err.
	// w has the headers already, the challenge and Retry-After among them, but for
	// Content-Type. The answer has the status that [Answer] gives for err, unless the
	// function writes another one that lets nobody pass: one below 300 is not written.
	// Say no more to callers than Answer does. It is a part of the handler: where it
	// panics, the panic goes on to whoever serves the request, of whom net/http logs it
	// with its stack, and [http.ErrAbortHandler] breaks off; what it has not answered
	// by then has the refusal's status. Nil means a JSON object.
	WriteRefusal func(w http.ResponseWriter, r *http.Request, err error)

	// Trace observes decisions, sessions, tickets, revocations and keys. Nil means that
	// nothing is observed, and costs nothing.
	Trace *authtrace.Hooks

	// Logger receives one line for each refused request, with method, path without query,
	// the client by Proxies, the header X-Request-Id, and issuer and subject of a token
	// whose signature held; for each logout, and for each change of the state of a key set or of the revocation log, and when
	// revocations begin and cease to wait to be shared; never a token. Nil means
	// no logging.
	Logger *slog.Logger

	// MaxTokenLifetime is how far ahead of now, and of its own time of issue, a
	// token's expiry may lie, Leeway aside: a token that lives longer is refused with [ErrClaim],
	// and so is one that does not say when it was issued ("iat"), since it may have
	// lived for longer already. It bounds how long revocations have to be kept. It
	// does not bound the tokens of a [KeySource] that never expire, and does its others:
	// those of package localissuer, which live for a day unless told otherwise, want no
	// less here. Zero means no limit; negative, below a millisecond or above a century is
	// an error.
	MaxTokenLifetime time.Duration

	// Revocations shares revocations with the other servers of a cluster. Those
	// that it cannot take at once are shared later, as [Authenticator.Revoke]
	// says. Nil means that no other server has them.
	Revocations RevocationLog

	// RevocationDir is a directory that keeps revocations, so that a restart loses
	// none: without Revocations all, until they end, and with it those that wait to be
	// shared. [New] reads them, they hold from then on, and the log is tried again. It is
	// written before [Authenticator.Revoke] returns. Without a log it keeps 131,072; of
	// more, the logouts that [Authenticator.LogoutHandler] makes one rule of are let go
	// of, and if that is not enough it makes one of the oldest of the issuer that has most,
	// where these are 8,192 or more, and else one for each issuer that has 16. It is
	// created if missing, must be on a file system that has locks, and belongs to one
	// Authenticator at a time: New is an error while another, of this process or the last,
	// has not been closed, when a file in it is damaged, and when others may write to it or
	// own it. While it is moved away nothing more is kept ([ErrRevocationNotWritten]). It
	// holds IDs and times, never a token. Empty means that revocations, all or those that
	// wait, are in memory only: a restart forgets them.
	RevocationDir string

	// RequireRevocations refuses every token with [ErrRevocationsUnavailable], and
	// ends every session, while Revocations is not known completely: before it was
	// read, and when contact with it is lost, after the grace that it may have of
	// its own. False means that tokens are accepted meanwhile by the revocations
	// that are known.
	RequireRevocations bool

	// Now is the clock that token times are compared with. Nil means [time.Now].
	Now func() time.Time
}

// validate reports the first contradiction in the configuration.
func (cfg *Config) validate() error {
	if len(cfg.Issuers) == 0 && cfg.AnyIssuer == nil && cfg.FindIssuer == nil {
		return errors.New("oidcauth: Config.Issuers is empty: name at least one issuer")
	}
	if err := cfg.checkDurations(); err != nil {
		return err
	}
	if cfg.MaxTokenBytes < 0 {
		return fmt.Errorf("oidcauth: Config.MaxTokenBytes: got %d, want none or more", cfg.MaxTokenBytes)
	}
	if cfg.MaxFoundIssuers < 0 {
		return fmt.Errorf("oidcauth: Config.MaxFoundIssuers: got %d, want none or more", cfg.MaxFoundIssuers)
	}
	if cfg.RequireRevocations && cfg.Revocations == nil {
		return errors.New("oidcauth: Config.RequireRevocations is set without Revocations: leave it false where no other server revokes")
	}
	if cfg.RevocationDir != "" && cfg.KeyCacheDir != "" && sameDir(cfg.RevocationDir, cfg.KeyCacheDir) {
		return fmt.Errorf("oidcauth: Config.RevocationDir: got %q, which is KeyCacheDir, want a directory of its own", cfg.RevocationDir)
	}
	if cfg.Extract != nil {
		if err := argumentsOf(cfg.Extract); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(cfg.ResourceMetadataURL, unfitForQuotes) {
		return fmt.Errorf("oidcauth: Config.ResourceMetadataURL: got %q, want an address fit for a header", cfg.ResourceMetadataURL)
	}
	if cfg.DPoP != nil && len(cfg.DPoP.Algorithms()) == 0 {
		return errors.New("oidcauth: Config.DPoP: got a Verifier that was not made by dpop.New")
	}
	if cfg.AnyIssuer != nil {
		if err := cfg.AnyIssuer.validate(); err != nil {
			return err
		}
	}
	return cfg.checkProxies()
}

// sameDir reports whether two names are those of one directory, whatever it is.
func sameDir(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// checkDurations reports one that is out of bounds, or was meant to be another.
func (cfg *Config) checkDurations() error {
	if cfg.Leeway > maxLeeway {
		return fmt.Errorf("oidcauth: Config.Leeway: got %v, want at most %v", cfg.Leeway, maxLeeway)
	}
	if err := policy.CheckDuration(cfg.Leeway); err != nil {
		return fmt.Errorf("oidcauth: Config.Leeway: %w", err)
	}
	if cfg.MaxTokenLifetime < 0 || cfg.MaxTokenLifetime > maxTokenLifetime {
		return fmt.Errorf("oidcauth: Config.MaxTokenLifetime: got %v, want none or more, and at most %v", cfg.MaxTokenLifetime, maxTokenLifetime)
	}
	if err := policy.CheckDuration(cfg.MaxTokenLifetime); err != nil {
		return fmt.Errorf("oidcauth: Config.MaxTokenLifetime: %w", err)
	}
	return nil
}

// checkProxies reports a proxy that could never be recognized.
func (cfg *Config) checkProxies() error {
	for _, p := range cfg.Proxies {
		if err := fetch.CheckPrefix(p); err != nil {
			return fmt.Errorf("oidcauth: Config.Proxies: %w", err)
		}
	}
	return nil
}

// unfitForQuotes reports whether r cannot stand in a quoted header parameter.
func unfitForQuotes(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }

func (cfg *Config) leeway() time.Duration {
	if cfg.Leeway == 0 {
		return defaultLeeway
	}
	return tolerance(cfg.Leeway)
}

func (cfg *Config) maxTokenBytes() int {
	if cfg.MaxTokenBytes == 0 {
		return defaultMaxTokenBytes
	}
	return min(cfg.MaxTokenBytes, mostTokenBytes)
}

func (cfg *Config) cacheBytes() int64 {
	if cfg.CacheBytes == 0 {
		return defaultCacheBytes
	}
	return max(cfg.CacheBytes, 0)
}
