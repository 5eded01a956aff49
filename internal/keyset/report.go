package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
)

// Report is a key set as the library sees it, for people. It holds public
// keys' names only, and never a token's key ID.
type Report struct {
	Issuer       string
	DiscoveryURL string // empty without discovery
	JWKSURL      string // empty when not discovered yet, and with fixed keys
	State        State
	Keys         []KeyReport
	Skipped      []Skipped

	ETag      string
	MaxAge    time.Duration // as the issuer said
	HasMaxAge bool
	Lifetime  time.Duration // as used
	Fetched   time.Time     // the keys were last received
	Confirmed time.Time     // the issuer last said that they are its keys
	// FreshUntil ends the lifetime; at ServeUntil the keys are dropped unless
	// they are confirmed before. Both are zero with fixed keys.
	FreshUntil  time.Time
	ServeUntil  time.Time
	NextRefresh time.Time // zero when none is planned
	FromStore   bool      // from the cache directory, not confirmed yet
	InUse       bool
	CoolDown    time.Time // the issuer is not asked again until then
	LastError   error
}

// KeyReport is one usable key.
type KeyReport struct {
	ID         string
	Type       string // "RSA 2048", "EC P-256", "OKP Ed25519", "AKP ML-DSA-44"
	Algorithm  string // the key's own; empty when it states none
	Use        string
	Thumbprint string // RFC 7638, SHA-256, base64url
}

// Report describes the set now. It neither fetches nor counts as use.
func (s *Set) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := Report{
		Issuer: s.cfg.Issuer, JWKSURL: s.source.url, State: s.stateAt(now),
		InUse: s.inUse(now), LastError: s.lastErr,
	}
	switch {
	case s.cfg.Fixed != nil:
	case s.cfg.JWKSURL != "":
		r.JWKSURL = s.cfg.JWKSURL
	default:
		r.DiscoveryURL = s.cfg.DiscoveryURL
		if r.DiscoveryURL == "" {
			r.DiscoveryURL = fetch.DiscoveryURL(s.cfg.Issuer)
		}
	}
	if s.cool.active(now) {
		r.CoolDown = s.cool.until
	}
	if !s.refreshAt.IsZero() && !s.closed() {
		r.NextRefresh = later(s.refreshAt, s.retryAt)
	}
	if snap := s.valid(now); snap != nil {
		s.describe(&r, snap)
	}
	return r
}

func (s *Set) describe(r *Report, snap *snapshot) {
	for _, k := range snap.keys {
		r.Keys = append(r.Keys, k.report())
	}
	r.Skipped = slices.Clone(snap.skipped)
	r.ETag, r.MaxAge, r.HasMaxAge = snap.etag, snap.maxAge, snap.hasMaxAge
	r.Lifetime, r.FromStore = snap.lifetime, snap.stored
	r.Fetched, r.Confirmed = snap.fetched, snap.confirmed
	if s.cfg.Fixed == nil {
		r.FreshUntil, r.ServeUntil = snap.freshUntil, snap.limitAt()
	}
}

// SkippedKey returns why the key that bears keyID is not used, if the issuer
// publishes it. It neither fetches nor counts as use.
func (s *Set) SkippedKey(keyID string) (Skipped, bool) {
	snap := s.snap.Load()
	if snap == nil || keyID == "" {
		return Skipped{}, false
	}
	short := shorten(keyID)
	i := slices.IndexFunc(snap.skipped, func(k Skipped) bool { return k.ID == short })
	if i < 0 {
		return Skipped{}, false
	}
	return snap.skipped[i], true
}

// SkippedSummary counts the keys that the issuer publishes and that are not used,
// by reason. It is empty if there are none.
func (s *Set) SkippedSummary() string {
	if snap := s.snap.Load(); snap != nil && len(snap.skipped) > 0 {
		return summary(snap.skipped)
	}
	return ""
}

func (k *Key) report() KeyReport {
	r := KeyReport{ID: k.ID(), Algorithm: k.Algorithm(), Use: k.use}
	switch public := k.Public().(type) {
	case *rsa.PublicKey:
		r.Type = fmt.Sprintf("RSA %d", public.N.BitLen())
	case *ecdsa.PublicKey:
		r.Type = "EC " + public.Curve.Params().Name
	case ed25519.PublicKey:
		r.Type = "OKP Ed25519"
	default:
		if name, ok := jws.NameMLDSA(public); ok {
			r.Type = algorithmKeyPair + " " + name
		}
	}
	r.Thumbprint, _ = k.Thumbprint() // empty without one
	return r
}
