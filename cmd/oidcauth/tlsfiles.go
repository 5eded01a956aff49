package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// tlsConfig is "tls" of the configuration file.
type tlsConfig struct {
	CertFile fileName `json:"cert_file" about:"the certificate, with those between it and its authority (PEM); read again when it changes"`
	KeyFile  fileName `json:"key_file" about:"its private key (PEM)"`
}

// Check implements [members.Checker].
func (c *tlsConfig) Check(report func(member, text string)) {
	if c.CertFile == "" || c.KeyFile == "" {
		report("", `want both "cert_file" and "key_file"`)
	}
}

// read reads both files. It may be called on nil, which has none.
func (c *tlsConfig) read() (*tls.Certificate, error) {
	if c == nil {
		return nil, nil
	}
	cert, err := c.CertFile.read()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	key, err := c.KeyFile.read()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls: %s and %s: %w", c.CertFile, c.KeyFile, err)
	}
	return &pair, nil
}

// A certificate is what the server shows, which may change. It is safe for concurrent
// use. The zero certificate is of a server without TLS.
type certificate struct {
	pair       atomic.Pointer[tls.Certificate]
	told       atomic.Pointer[tls.Certificate] // about which warn has written its line
	clientAuth tls.ClientAuthType              // what clients are asked for; never changes
}

// config returns how connections are encrypted; nil if they are not.
func (c *certificate) config() *tls.Config {
	if c.pair.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		ClientAuth: c.clientAuth,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair := c.pair.Load(); pair != nil {
				return pair, nil
			}
			return nil, errors.New("no certificate")
		},
	}
}

// warn reports once that clients refuse the certificate for its time: that is theirs to
// find, and a file with a former certificate is as good as any.
func (c *certificate) warn(log *slog.Logger, now time.Time) {
	pair := c.pair.Load()
	if pair == nil || pair.Leaf == nil || c.told.Load() == pair {
		return
	}
	from, until := pair.Leaf.NotBefore, pair.Leaf.NotAfter
	if !now.Before(from) && !now.After(until) {
		return
	}
	c.told.Store(pair)
	log.Error("clients refuse the certificate for its time", slog.Time("now", now), slog.Time("good_from", from), slog.Time("good_until", until))
}

// write writes, in the Prometheus text format, when clients will refuse the certificate, so
// that somebody is told before. Without TLS it writes nothing.
func (c *certificate) write(out *strings.Builder) {
	pair := c.pair.Load()
	if pair == nil || pair.Leaf == nil {
		return
	}
	const name = "oidcauth_certificate_not_after_timestamp_seconds"
	help(out, name, "gauge", "When the certificate that clients are shown ends.")
	fmt.Fprintf(out, "%s %d\n", name, pair.Leaf.NotAfter.Unix())
}
