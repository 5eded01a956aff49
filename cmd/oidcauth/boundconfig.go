package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/mtls"
)

// dpopConfig is "dpop" of the configuration file: [dpop.Config].
type dpopConfig struct {
	PublicURL string   `json:"public_url" about:"the address that clients use, as \"https://db.example.com\"; without it \"resource\""`
	Aliases   []string `json:"aliases" about:"further addresses that clients use"`

	InsecureAnyHost bool `json:"insecure_any_host" about:"true to compare proofs with the Host header, which whoever sends the request chooses"`

	MaxAge     positive `json:"max_age" about:"how old a proof may be, as \"30s\"; 60s without it"`
	Algorithms []string `json:"algorithms" about:"the signature algorithms of proofs; none: ES256 and the other usual ones"`

	Nonces       bool     `json:"nonces" about:"true to demand a nonce of this server in each proof, so that one counts at no other server and after no restart"`
	NonceKeyFile fileName `json:"nonce_key_file" about:"a file with a secret by which the nonces of all servers that have it count at each"`

	Replays bool `json:"in_revocations" about:"true to note which proofs were used where \"revocations\" are shared: a write for each request"`

	ReplayBytes int64 `json:"replay_bytes" about:"memory for which proofs were used"`

	nonceKey [sha256.Size]byte // stands for what the file had, which only a restart changes
}

// verifier returns what checks proofs; nil if there is nothing to check. Replays may be
// nil.
func (c *dpopConfig) verifier(resource string, replays dpop.Replays) (*dpop.Verifier, error) {
	if c == nil {
		return nil, nil
	}
	cfg := dpop.Config{
		PublicURL: c.PublicURL, Aliases: c.Aliases, InsecureAnyHost: c.InsecureAnyHost, MaxAge: c.MaxAge.value,
		Algorithms: c.Algorithms, Nonces: c.Nonces, ReplayBytes: c.ReplayBytes,
	}
	if cfg.PublicURL == "" && !cfg.InsecureAnyHost {
		cfg.PublicURL = resource
	}
	if c.Replays {
		cfg.Replays = replays
	}
	var err error
	if c.NonceKeyFile != "" {
		if cfg.NonceKey, err = readSecret(c.NonceKeyFile); err != nil {
			return nil, usageError{fmt.Errorf("dpop: %w", err)}
		}
		c.nonceKey = sha256.Sum256(cfg.NonceKey)
	}
	v, err := dpop.New(cfg)
	if err != nil {
		return nil, usageError{err}
	}
	return v, nil
}

// The values of "client_certificates".
const (
	certificateOfConnection = "connection"
	certificateInHeader     = "client-cert"
	certificateOfEnvoy      = "x-forwarded-client-cert"
)

// bind says to the library how possession is proved of what tokens are bound to.
func (file *fileConfig) bind(cfg *oidcauth.Config) error {
	if file.DPoP != nil && file.DPoP.Replays && !file.Revocations.shares() {
		return usagef(`"dpop": "in_revocations" needs "revocations" that are shared ("nats")`)
	}
	switch file.ClientCertificates {
	case certificateOfConnection:
		if file.TLS == nil {
			return usagef(`"client_certificates": %q needs "tls"; behind a proxy it is the proxy's to name the certificate`, file.ClientCertificates)
		}
		cfg.Certificate = mtls.Connection
	case certificateInHeader:
		cfg.Certificate = mtls.Header(mtls.ClientCert)
	case certificateOfEnvoy:
		cfg.Certificate = mtls.Header(mtls.XForwardedClientCert)
	}
	inHeader := file.ClientCertificates == certificateInHeader || file.ClientCertificates == certificateOfEnvoy
	if inHeader && len(file.Proxies) == 0 { // also with "tls": who connects says nothing of others
		return usagef(`"client_certificates": %q needs "proxies", which alone are believed`, file.ClientCertificates)
	}
	var err error
	cfg.DPoP, err = file.DPoP.verifier(file.Resource, cfg.Revocations)
	return err
}

// offerNonce tells a client that has proved its key the nonce for its next proof, and its
// browser that the page may read it (RFC 9449, section 9), as the library's own
// middleware does: it need not be refused first when the last one is over.
func (s *server) offerNonce(h http.Header, claims *oidcauth.Claims) {
	nonce := s.proofs.Nonce()
	if _, bound := claims.LookupString("cnf", "jkt"); !bound || nonce == "" {
		return
	}
	h.Set("DPoP-Nonce", nonce)
	h.Add("Access-Control-Expose-Headers", "DPoP-Nonce")
}

// clientAuth returns what the server asks of clients when a connection begins.
func (file *fileConfig) clientAuth() tls.ClientAuthType {
	if file.ClientCertificates == certificateOfConnection {
		return tls.RequestClientCert
	}
	return tls.NoClientCert
}

// bindUnproved has the library accept bound tokens of which only a report is made: no
// proof is there to be checked.
func (file *fileConfig) bindUnproved(cfg *oidcauth.Config) (err error) {
	if file.DPoP != nil {
		cfg.DPoP, err = dpop.New(dpop.Config{InsecureAnyHost: true})
	}
	if file.ClientCertificates != "" {
		cfg.Certificate = mtls.Connection
	}
	return err
}
