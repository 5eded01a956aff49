package oidcauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	defaultTokenLifetime = 24 * time.Hour
	localAlgorithm       = "ES256"
)

// LocalIssuerConfig says what a [LocalIssuer] is like.
type LocalIssuerConfig struct {
	// URL is the issuer's name, the "iss" of its tokens: any name of 1 to 128
	// bytes without "|", often a bare word. It is part of every identity, and a
	// directory belongs to one name. Empty means the name that Dir belongs to;
	// then nothing is created, and without keys the error wraps [io/fs.ErrNotExist].
	URL string

	// Dir is the directory that keeps the keys, private ones included. It is
	// created, open to the process's user alone, if it does not exist; one that
	// exists must have mode 0700. It gets keys if it is empty. Processes on one
	// machine, or with a shared file system that has locks, may share it.
	//
	// An older copy that is put back is brought up to date by the first process
	// that has known the directory since: keys that were removed stay removed. A
	// process that cannot write there, or finds other keys, signs nothing with a
	// key that is not in the directory. The keys in memory serve for 24 hours
	// while the directory cannot be read, or is not what it was; then nothing is
	// issued and no token of the issuer is accepted ([ErrKeysUnavailable]) until
	// it is.
	Dir string

	// Signer signs instead of keys in Dir, from a KMS or HSM for instance: an
	// ECDSA key on the curve P-256. Exactly one of Dir and Signer is required.
	Signer crypto.Signer

	// RetiredKeys are public keys whose tokens are still accepted beside those
	// of Signer. With Dir, see [LocalIssuer.Import] instead.
	RetiredKeys []crypto.PublicKey

	// TicketSecret is what the processes that share Signer seal the content of
	// tickets with: at least 32 random bytes, the same for all. Empty means that
	// a ticket is good in the process alone that sold it. With Dir it must be
	// empty: there the secret comes from the keys.
	TicketSecret []byte

	// Audiences are for whom tokens are issued, this server above all. One at
	// least is required.
	Audiences []string

	// Lifetime is that of tokens whose request names none. Zero means 24 hours,
	// or MaxLifetime if that is less.
	Lifetime time.Duration

	// MaxLifetime bounds the lifetime of every token, and so tells how long a
	// retired key is kept. Zero means the same as Lifetime.
	MaxLifetime time.Duration

	// NoExpiry permits tokens that never expire: [LocalIssuer.Issue] makes them
	// when asked to, and tokens without expiry, or with null for it, are
	// accepted. Only a revocation or the removal of its key ends such a token.
	NoExpiry bool

	// Logger receives a line for each rotation, for each series of failures to
	// read Dir, and when that was put right. Nil means no logging.
	Logger *slog.Logger

	// Now is the clock that tokens are issued by. Nil means [time.Now].
	Now func() time.Time
}

// A LocalIssuer issues the server's own tokens: identities for callers that no
// other issuer knows, and tickets for those that cannot send a header. Its keys
// change with [LocalIssuer.Rotate] and nobody notices.
//
// An [Authenticator] accepts its tokens when [LocalIssuer.Issuer] is among
// [Config.Issuers]. Other servers do when they fetch what [LocalIssuer.Handler]
// serves. It is safe for concurrent use. Call [LocalIssuer.Close] when it is no
// longer needed.
type LocalIssuer struct {
	url         string
	audiences   []string
	lifetime    time.Duration
	maxLifetime time.Duration
	noExpiry    bool
	logger      *slog.Logger
	now         func() time.Time
	external    crypto.Signer // nil with a directory
	dir         *keyring.Dir  // nil with an external signer
	signing     atomic.Pointer[signing]
	elsewhere   elsewhereKeys
	tickets     ticketUses
	secret      []byte // of tickets, with an external signer
	process     string // random; which process it is
	started     time.Time

	reading  sync.Mutex // guards what follows, and is held while Dir is read
	found    keyring.Stat
	failing  bool // the last reading failed
	lastRead time.Time

	mu        sync.Mutex // guards what follows
	ring      keyring.Ring
	retired   map[string]time.Time // since when keys are known to be retired
	jwks      []byte
	withdrawn error                    // why the keys are trusted no more; nil while they are
	sets      map[*keyset.Set]struct{} // those of Authenticators, which follow the ring
	closed    bool
	timer     *time.Timer // reads the directory
	polls     sync.WaitGroup
}

// signing is what signs at present, or why nothing does.
type signing struct {
	token, ticket jose.Signer
	secret        []byte // that tickets are sealed with
	err           error
}

// NewLocalIssuer opens the key directory, which it creates if need be, or
// prepares the signer. A directory that others may read or write, or whose
// content it did not make, is an error and is left as it is.
func NewLocalIssuer(cfg LocalIssuerConfig) (*LocalIssuer, error) {
	l := &LocalIssuer{
		url: cfg.URL, audiences: slices.Clone(cfg.Audiences), noExpiry: cfg.NoExpiry,
		logger: cfg.Logger, now: cfg.Now, external: cfg.Signer,
		process: rand.Text(), started: time.Now(),
		sets: make(map[*keyset.Set]struct{}),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.maxLifetime = cfg.MaxLifetime
	if l.maxLifetime == 0 {
		l.maxLifetime = cfg.Lifetime
	}
	if l.maxLifetime == 0 {
		l.maxLifetime = defaultTokenLifetime
	}
	l.lifetime = cfg.Lifetime
	if l.lifetime == 0 {
		l.lifetime = min(defaultTokenLifetime, l.maxLifetime)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ring, err := l.openRing(cfg)
	if err == nil && l.external != nil {
		l.secret, err = externalSecret(cfg.TicketSecret, ring.Active().ID)
	}
	if err != nil {
		return nil, fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	l.url = ring.Issuer
	if err := checkIssuerName(l.url); err != nil {
		return nil, err
	}
	if err := l.adopt(ring); err != nil {
		return nil, fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	l.startPolling()
	return l, nil
}

// validate reports the first contradiction in the configuration.
func (cfg *LocalIssuerConfig) validate() error {
	if (cfg.Dir == "") == (cfg.Signer == nil) {
		return errors.New("oidcauth: LocalIssuerConfig: want exactly one of Dir and Signer")
	}
	if cfg.Dir != "" && len(cfg.RetiredKeys) > 0 {
		return errors.New("oidcauth: LocalIssuerConfig.RetiredKeys: with Dir, use LocalIssuer.Import")
	}
	if n := len(cfg.TicketSecret); n > 0 && (cfg.Signer == nil || n < minTicketSecret) {
		return fmt.Errorf("oidcauth: LocalIssuerConfig.TicketSecret: got %d bytes, want %d or more with Signer, and none with Dir", n, minTicketSecret)
	}
	if cfg.URL != "" || cfg.Dir == "" {
		if err := checkIssuerName(cfg.URL); err != nil {
			return err
		}
	}
	if len(cfg.Audiences) == 0 || slices.Contains(cfg.Audiences, "") {
		return errors.New("oidcauth: LocalIssuerConfig.Audiences: want one at least, and none that is empty")
	}
	if cfg.Lifetime < 0 || cfg.MaxLifetime < 0 || cfg.MaxLifetime > 0 && cfg.Lifetime > cfg.MaxLifetime {
		return fmt.Errorf("oidcauth: LocalIssuerConfig: got Lifetime %v and MaxLifetime %v, want neither negative nor the first above the second", cfg.Lifetime, cfg.MaxLifetime)
	}
	return nil
}

// URL returns the issuer's name.
func (l *LocalIssuer) URL() string { return l.url }

// Issuer returns the description by which an [Authenticator] trusts l, for
// [Config.Issuers]. Audiences, Aliases, Roles and rules may be changed. The keys
// are l's at any moment: nothing is ever fetched.
func (l *LocalIssuer) Issuer() Issuer {
	return Issuer{
		URL: l.url, Audiences: slices.Clone(l.audiences),
		Algorithms: []string{localAlgorithm}, local: l,
	}
}

// A TokenRequest says what a token of a [LocalIssuer] is to say. The zero value
// asks for a new identity.
type TokenRequest struct {
	// Subject is who the token is for, 1 to 128 bytes. Empty means somebody new:
	// a random UUID.
	Subject string

	// Audiences are for whom the token is. Empty means those of the issuer.
	Audiences []string

	// Lifetime is how long the token is valid. Zero means the issuer's default;
	// above its MaxLifetime is an error.
	Lifetime time.Duration

	// NoExpiry asks for a token that never expires, which the issuer's
	// configuration must permit.
	NoExpiry bool

	// Claims are further claims. The names of registered claims are an error.
	Claims map[string]any
}

// reservedClaims are those that Issue alone writes, or that make a token one of
// another kind.
var reservedClaims = [...]string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "hex_identity", "events", "cnf", claimOriginal,
}

// Issue returns a token and the identity of its bearer.
func (l *LocalIssuer) Issue(ctx context.Context, r TokenRequest) (token string, id Identity, err error) {
	if err := ctx.Err(); err != nil {
		return "", Identity{}, fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	if r.Subject == "" {
		r.Subject = newUUID()
	}
	id = identity.New(l.url, r.Subject)
	claims, err := l.claims(r, id)
	if err != nil {
		return "", Identity{}, fmt.Errorf("oidcauth: local issuer: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", Identity{}, fmt.Errorf("oidcauth: local issuer: TokenRequest.Claims: %w", err)
	}
	s := l.signing.Load()
	if s.err != nil {
		return "", Identity{}, s.err
	}
	token, err = l.sign(s.token, payload)
	return token, id, err
}

// claims returns all claims of a token.
func (l *LocalIssuer) claims(r TokenRequest, id Identity) (map[string]any, error) {
	if len(r.Subject) > claims.MaxNameBytes || !utf8.ValidString(r.Subject) {
		return nil, fmt.Errorf("subject: got %s, want 1 to %d bytes of UTF-8", refusal.Quote(r.Subject), claims.MaxNameBytes)
	}
	claims := make(map[string]any, len(r.Claims)+8)
	for name, value := range r.Claims {
		if slices.Contains(reservedClaims[:], name) {
			return nil, fmt.Errorf("claim %q is not for the request to set", name)
		}
		claims[name] = value
	}
	now := l.now()
	if !r.NoExpiry {
		lifetime := r.Lifetime
		if lifetime == 0 {
			lifetime = l.lifetime
		}
		if lifetime < 0 || lifetime > l.maxLifetime {
			return nil, fmt.Errorf("lifetime: got %v, want more than none and at most %v", lifetime, l.maxLifetime)
		}
		claims["exp"] = now.Add(lifetime).Unix()
	} else if !l.noExpiry {
		return nil, errors.New("got a request for a token that never expires, want LocalIssuerConfig.NoExpiry for that")
	}
	claims["iss"], claims["sub"], claims["iat"] = l.url, r.Subject, now.Unix()
	claims["jti"], claims["hex_identity"] = rand.Text(), id.String()
	claims["aud"] = r.Audiences
	if len(r.Audiences) == 0 {
		claims["aud"] = l.audiences
	}
	return claims, nil
}

// newUUID returns a random UUID (RFC 9562, section 5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (l *LocalIssuer) sign(s jose.Signer, payload []byte) (string, error) {
	object, err := s.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("oidcauth: local issuer: signing: %w", err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("oidcauth: local issuer: signing: %w", err)
	}
	return token, nil
}

// newSigning prepares the key that signs.
func (l *LocalIssuer) newSigning(k keyring.Key) (*signing, error) {
	var key any = jose.JSONWebKey{Key: k.Private, KeyID: k.ID}
	if l.external != nil {
		key = jose.JSONWebKey{Key: cryptosigner.Opaque(l.external), KeyID: k.ID}
	}
	signer := func(typ string) (jose.Signer, error) {
		options := new(jose.SignerOptions).WithType(jose.ContentType(typ))
		return jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	}
	token, err := signer("JWT")
	if err != nil {
		return nil, err
	}
	ticket, err := signer(policy.TypeTicket)
	if err != nil {
		return nil, err
	}
	secret := l.secret
	if l.external == nil {
		secret, err = k.TicketSecret()
	}
	return &signing{token: token, ticket: ticket, secret: secret}, err
}

// externalRing describes the signer and the retired keys as a ring.
func externalRing(cfg LocalIssuerConfig, now time.Time) (keyring.Ring, error) {
	public, ok := cfg.Signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return keyring.Ring{}, fmt.Errorf("LocalIssuerConfig.Signer: got a key of type %T, want *ecdsa.PublicKey", cfg.Signer.Public())
	}
	if err := keyring.CheckPublic(public); err != nil {
		return keyring.Ring{}, err
	}
	id, err := keyring.Thumbprint(public)
	if err != nil {
		return keyring.Ring{}, err
	}
	ring := keyring.Ring{Issuer: cfg.URL, Keys: []keyring.Key{{ID: id, State: keyring.Active, Created: now, Public: public}}}
	for _, retired := range cfg.RetiredKeys {
		public, ok := retired.(*ecdsa.PublicKey)
		if !ok {
			return keyring.Ring{}, fmt.Errorf("LocalIssuerConfig.RetiredKeys: got a key of type %T, want *ecdsa.PublicKey", retired)
		}
		if ring, _, err = ring.Import(public, now); err != nil {
			return keyring.Ring{}, err
		}
	}
	return ring, nil
}
