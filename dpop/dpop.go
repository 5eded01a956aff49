// Package dpop checks proofs of possession (RFC 9449): that whoever presents a token
// which is bound to a key has that key, by a signature over this one request. Put a
// [Verifier] into oidcauth.Config.DPoP; everything else is done there.
//
//	proofs, err := dpop.New(dpop.Config{PublicURL: "https://db.example.com"})
//	…
//	auth, err := oidcauth.New(oidcauth.Config{Issuers: issuers, DPoP: proofs})
//
// # Replays
//
// A proof is good once. What was used is remembered by this process, as long as the
// proof would be fresh: in memory that is bounded, and of which no bearer can take more
// than is free, so that one who makes proofs without end, by many keys even, shuts out
// nobody else. Who is many bearers, by an issuer of their own perhaps, can.
//
// Of what other servers took, and of what this process took before it was started
// anew, it knows nothing. There are two ways to have a proof count once in all. With
// [Config.Nonces], and keys for them that each process makes for itself, a proof
// counts at the one process that gave its nonce: it costs a client another request
// whenever it comes to another server, so connections should stay with one. With
// [Config.Replays] the servers share a store, which is written for each request. With
// a [Config.NonceKey] that servers share, a proof with the nonce of one counts at each,
// once, for the time that it is fresh: that spares the requests and the writes, and
// leaves whoever steals proofs on their way so much. Without either, what was made before
// the process started is refused, by its clock: one that was ahead then and is set right
// takes no proofs until it is as late again.
package dpop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	defaultMaxAge      = time.Minute
	maxMaxAge          = 10 * time.Minute
	maxAhead           = 30 * time.Second // of the server's clock
	defaultReplayBytes = 64 << 20
	minReplayBytes     = 64 << 10
	minNonceKey        = 32
)

// Why a proof is refused. Both are oidcauth.ErrProof, too.
var (
	// ErrInvalidProof says that there is a proof, and what is wrong with it. HTTP
	// status 401, with the error code invalid_dpop_proof.
	ErrInvalidProof = refusal.ErrInvalidProof
	// ErrUseNonce says that the proof has no nonce, or one that counts no longer or
	// elsewhere: the client does well to make another with the nonce in the header
	// DPoP-Nonce of the answer. HTTP status 401, with the error code use_dpop_nonce.
	ErrUseNonce = refusal.ErrUseNonce
)

// Config says which proofs are accepted.
type Config struct {
	// PublicURL is the address that clients reach the server at, as the proofs name
	// it: scheme and host, with a port if need be, and the path that a proxy takes off
	// every address if it does. What follows is the path of the request. A proof for
	// another server is refused by it. Required, unless InsecureAnyHost is set.
	PublicURL string

	// Aliases are further addresses of the server.
	Aliases []string

	// InsecureAnyHost compares proofs with the Host header of the request, and with
	// whether its own connection is encrypted, in place of PublicURL. Whoever sends the
	// request chooses the Host: a server that gets a proof that was made for it can
	// pass it on to this one. No header that a proxy adds counts.
	InsecureAnyHost bool

	// MaxAge is how old a proof may be by the time that it states, by which it must not
	// be later than half a minute from now either. Zero means 60 seconds; less than a
	// second and more than ten minutes are errors.
	MaxAge time.Duration

	// Algorithms are the signature algorithms of proofs that are accepted. Empty means
	// ES256, ES384, ES512, EdDSA, Ed25519, PS256, PS384, PS512, RS256, RS384 and RS512.
	Algorithms []string

	// Nonces demands that each proof has a nonce that a server gave within the last
	// five minutes (RFC 9449, section 9). A client that has none is told one, and
	// repeats its request. So no proofs can be made in store, and none is good again
	// after a restart. An answer that tells the next nonce has "Cache-Control: no-store"
	// unless the handler sets another. False asks for none.
	Nonces bool

	// NonceKey makes the nonces of all servers that share it count at each of them. It
	// must be secret, random, and 32 bytes long at least; it cannot be changed without
	// one more request of each client. Empty means a key of this process's own.
	NonceKey []byte

	// Replays is where servers share which proofs were used. A RevocationLog of
	// package oidcauth is one, if there is room for an entry for each request. Nil
	// means that it is remembered in this process alone.
	Replays Replays

	// ReplayBytes bounds the memory of which proofs were used, 128 bytes each. Once it
	// is full of proofs that are still fresh, others are refused with
	// oidcauth.ErrAnswerUnavailable. Zero means 64 MiB, about 4000 requests a second;
	// less than 64 KiB is an error.
	ReplayBytes int64

	// Now is the clock that the times of proofs and nonces are compared with. Nil means
	// [time.Now].
	Now func() time.Time
}

// Replays are a store of things that may be used once, which several servers share.
type Replays interface {
	// FirstUse records that the one-time thing id was used, and reports whether nobody
	// had used it before. It may be dropped when until has passed. An error says that it
	// is not known, and refuses the proof. It must be safe for concurrent use and return
	// when ctx ends.
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)
}

// Format prints the configuration without NonceKey, whatever the verb.
func (cfg Config) Format(f fmt.State, verb rune) {
	type config Config // without this method
	cfg.NonceKey = nil
	fmt.Fprintf(f, fmt.FormatString(f, verb), config(cfg))
}

// A Verifier checks proofs. It is safe for concurrent use. One that [New] did not make,
// the zero value or nil, accepts none.
type Verifier struct {
	bases      []string // addresses without the path of a request; nil for any
	maxAge     time.Duration
	algorithms []string
	nonces     *nonces // nil if none are demanded
	memory     *memory
	replays    Replays // nil for this process alone
	forgetful  bool    // what was used before this process started may come again
	started    time.Time
	now        func() time.Time
}

// New checks cfg and makes a Verifier.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{maxAge: cfg.MaxAge, algorithms: slices.Clone(cfg.Algorithms), replays: cfg.Replays, now: cfg.Now}
	if v.maxAge == 0 {
		v.maxAge = defaultMaxAge
	}
	if len(v.algorithms) == 0 {
		v.algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
	}
	if v.now == nil {
		v.now = time.Now
	}
	if cfg.ReplayBytes == 0 {
		cfg.ReplayBytes = defaultReplayBytes
	}
	if err := v.check(&cfg); err != nil {
		return nil, fmt.Errorf("dpop: %w", err)
	}
	v.started = v.now()
	v.memory = newMemory(int(min(cfg.ReplayBytes/bytesPerProof, math.MaxInt)), v.maxAge+maxAhead)
	if cfg.Nonces {
		v.nonces = newNonces(cfg.NonceKey)
	}
	v.forgetful = cfg.Replays == nil && (!cfg.Nonces || len(cfg.NonceKey) > 0)
	return v, nil
}

// check reports the first contradiction in the configuration, and sets the addresses.
func (v *Verifier) check(cfg *Config) error {
	for _, alg := range v.algorithms {
		if !jws.Known(alg) || jws.IsMLDSA(alg) {
			return fmt.Errorf("Config.Algorithms: %q is not supported", alg)
		}
	}
	switch {
	case v.maxAge < time.Second || v.maxAge > maxMaxAge:
		return fmt.Errorf("Config.MaxAge: got %v, want a second to %v", cfg.MaxAge, maxMaxAge)
	case cfg.ReplayBytes < minReplayBytes:
		return fmt.Errorf("Config.ReplayBytes: got %d, want %d at least", cfg.ReplayBytes, minReplayBytes)
	case len(cfg.NonceKey) > 0 && !cfg.Nonces:
		return errors.New("Config.NonceKey is set without Nonces")
	case len(cfg.NonceKey) > 0 && len(cfg.NonceKey) < minNonceKey:
		return fmt.Errorf("Config.NonceKey: got %d bytes, want %d at least", len(cfg.NonceKey), minNonceKey)
	case cfg.InsecureAnyHost && (cfg.PublicURL != "" || len(cfg.Aliases) > 0):
		return errors.New("both Config.PublicURL and InsecureAnyHost are set")
	case cfg.InsecureAnyHost:
		return nil
	case cfg.PublicURL == "":
		return errors.New("Config.PublicURL is empty: name the address that clients reach the server at, or set InsecureAnyHost")
	}
	for i, address := range append([]string{cfg.PublicURL}, cfg.Aliases...) {
		base, err := baseOf(address)
		if err != nil {
			field := "Config.PublicURL"
			if i > 0 {
				field = "Config.Aliases"
			}
			return fmt.Errorf("%s: got %s: %w", field, refusal.QuoteAddress(address), err)
		}
		v.bases = append(v.bases, base)
	}
	return nil
}

// A Use is what a proof is presented for. Printed, or as JSON, it shows neither proof nor
// token.
type Use struct {
	Proof       string // the JWT
	Method, URL string // of the request; see possession.Proof
	Token       string // beside it
	Thumbprint  string // of the key that the token is bound to ("jkt")

	// Bearer is whose token it is: what is remembered of proofs by all keys of one bearer
	// is accounted together. Empty means that each key is a bearer by itself.
	Bearer string

	// Nonce is the one that the proof must have, of a connection for instance, in
	// place of those of the Verifier. Empty means those.
	Nonce string
}

// Format prints the use without proof and token, whatever the verb.
func (u Use) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{proof: %s, method: %q, url: %q, token: %s, thumbprint: %q, nonce: %q}", someOrNone(u.Proof), u.Method, u.URL, someOrNone(u.Token), u.Thumbprint, u.Nonce)
}

// MarshalText implements [encoding.TextMarshaler], for logs in JSON: it returns what
// Format prints.
func (u Use) MarshalText() ([]byte, error) { return fmt.Append(nil, u), nil }

func someOrNone(secret string) string {
	if secret == "" {
		return "none"
	}
	return "some"
}

// Verify checks a proof as RFC 9449, section 4.3, demands, and uses it up. The error
// is an *oidcauth.Refusal: [ErrInvalidProof], [ErrUseNonce], oidcauth.ErrProof where the proof is
// made with another key than the token is bound to, or oidcauth.ErrAnswerUnavailable
// where nobody can tell whether it was used before.
//
// The signature is checked last of what the proof says, and with no other key than the
// token is bound to. What was used is remembered of good proofs alone.
func (v *Verifier) Verify(ctx context.Context, u Use) error {
	if v == nil || v.memory == nil {
		return refusal.New(refusal.Possession, refusal.ErrAnswerUnavailable, "a Verifier that was not made by New", "one of dpop.New")
	}
	now := v.now()
	p, err := v.parse(u.Proof)
	if err != nil {
		return err
	}
	if p.thumbprint != u.Thumbprint {
		return refusal.New(refusal.Possession, refusal.ErrProof, "a proof by the key "+refusal.Quote(p.thumbprint), "by that of the token, "+refusal.Quote(u.Thumbprint))
	}
	for _, check := range [...]func(*proof, *Use, time.Time) error{v.checkTarget, v.checkTime, checkToken, v.checkNonce} {
		if err := check(p, &u, now); err != nil {
			return err
		}
	}
	if err := p.key.Verify(&p.token); err != nil {
		return invalid("a signature that is not good", "one by the key in the proof")
	}
	bearer := u.Bearer
	if bearer == "" {
		bearer = p.thumbprint
	}
	return v.useUp(ctx, p, bearer, now)
}

// checkTarget checks what the proof was made for ("htm", "htu").
func (v *Verifier) checkTarget(p *proof, u *Use, _ time.Time) error {
	if p.method != u.Method {
		return invalid(`"htm" `+refusal.Quote(p.method), refusal.Quote(u.Method))
	}
	wanted, err := v.targets(u.URL)
	if err != nil {
		return invalid("a request for "+shown(u.URL)+": "+err.Error(), "an address that a proof can be made for")
	}
	got, err := normalize(p.target)
	if err != nil {
		return invalid(`"htu" `+shown(p.target)+": "+err.Error(), refusal.OneOf(wanted))
	}
	if !slices.Contains(wanted, got) {
		return invalid(`"htu" `+refusal.Quote(got), refusal.OneOf(wanted))
	}
	return nil
}

// checkTime checks how old the proof is ("iat"). What this process has started after
// may have been used before, and nobody remembers, unless it has a nonce that this
// process alone can have given.
func (v *Verifier) checkTime(p *proof, u *Use, now time.Time) error {
	oldest := now.Add(-v.maxAge)
	if start := v.started.Truncate(time.Second); v.forgetful && u.Nonce == "" && start.After(oldest) {
		oldest = start
	}
	if p.made.Before(oldest) || p.made.After(now.Add(maxAhead)) {
		return invalid(`"iat" `+refusal.Time(p.made), "from "+refusal.Time(oldest)+" to "+refusal.Time(now.Add(maxAhead)))
	}
	return nil
}

// checkToken checks that the proof is for the token beside it ("ath").
func checkToken(p *proof, u *Use, _ time.Time) error {
	if p.tokenHash != hashText(u.Token) {
		return invalid(`"ath" of another token, or none`, "the hash of the token beside the proof")
	}
	return nil
}

// checkNonce checks the nonce, if one is demanded.
func (v *Verifier) checkNonce(p *proof, u *Use, now time.Time) error {
	switch {
	case u.Nonce != "":
		if p.nonce != u.Nonce {
			return refusal.New(refusal.Possession, refusal.ErrUseNonce, `"nonce" `+refusal.Quote(p.nonce), "that of the session")
		}
		return nil
	case v.nonces == nil:
		return nil
	}
	var since time.Time
	if v.forgetful {
		since = v.started
	}
	if err := v.nonces.check(p.nonce, since, now); err != nil {
		return refusal.New(refusal.Possession, refusal.ErrUseNonce, err.Error(), "a nonce of this server, of the last "+nonceAge.String())
	}
	return nil
}

// useUp makes sure that nobody uses the proof again. A store that fails leaves it good: if
// it took the use all the same, it says so next time.
func (v *Verifier) useUp(ctx context.Context, p *proof, bearer string, now time.Time) error {
	until := p.made.Add(v.maxAge)
	if err := v.memory.use(bearer, p.thumbprint, p.id, until, now); err != nil {
		return err
	}
	if v.replays == nil {
		return nil
	}
	first, err := v.firstUse(ctx, useID(p.thumbprint, p.id), until.Add(maxAhead))
	switch {
	case err != nil:
		v.memory.release(bearer, p.thumbprint, p.id, until)
		return refusal.Because(refusal.Possession, refusal.ErrAnswerUnavailable, fmt.Errorf("whether the proof was used before: %w", err)).After(time.Second)
	case !first:
		return replayed()
	}
	return nil
}

// firstUse asks the program's store, of which a panic is an error, also one of its error
// when that is looked at.
func (v *Verifier) firstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error) {
	defer panics.Catch(&err)
	first, err = v.replays.FirstUse(ctx, id, until)
	panics.Try(err)
	return first, err
}

// Nonce returns the nonce that clients are to use from now on. It is empty unless
// [Config.Nonces] is set.
func (v *Verifier) Nonce() string {
	if v == nil || v.nonces == nil {
		return ""
	}
	return v.nonces.next(v.now())
}

// Algorithms returns the algorithms of proofs that are accepted.
func (v *Verifier) Algorithms() []string {
	if v == nil {
		return nil
	}
	return slices.Clone(v.algorithms)
}

// invalid refuses a proof.
func invalid(got, want string) error {
	return refusal.New(refusal.Possession, refusal.ErrInvalidProof, got, want)
}

func replayed() error { return invalid("a proof for the second time", "one with an ID of its own") }
