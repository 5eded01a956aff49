package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/introspect"
)

// introspectionConfig is "introspection" of an issuer in the configuration file.
type introspectionConfig struct {
	Endpoint         string   `json:"endpoint" about:"where to ask; without it where the issuer's discovery document says"`
	ClientID         string   `json:"client_id" about:"this server's client ID at the issuer"`
	ClientSecretFile fileName `json:"client_secret_file" about:"a file with its secret, read at each question"`
	SecretInBody     bool     `json:"secret_in_body" about:"true to send both in the form, for endpoints that do not take them in the header"`
}

// apply has the issuer asked about its opaque tokens, over connections like those by
// which its keys are fetched.
func (c *introspectionConfig) apply(i *oidcauth.Issuer) error {
	client, err := clientTrusting(i.Keys.Client, i.Keys.CAFile)
	var secretFile string
	if err == nil {
		secretFile, err = c.ClientSecretFile.path()
	}
	if err == nil {
		i.Introspect, err = introspect.New(introspect.Config{
			Issuer: i.URL, Endpoint: c.Endpoint, ClientID: c.ClientID,
			ClientSecretFile: secretFile, SecretInBody: c.SecretInBody,
			Client: client, InsecureHTTP: i.Keys.InsecureHTTP, InsecureHTTPHosts: i.Keys.InsecureHTTPHosts,
		})
	}
	if err != nil {
		return usagef("introspection of issuer %q: %w", i.URL, err)
	}
	return nil
}

// clientTrusting returns a client like base, or like the usual one for nil, that trusts
// the certificates in a file alone, as they are now; base itself for no file.
func clientTrusting(base *http.Client, file string) (*http.Client, error) {
	if file == "" {
		return base, nil
	}
	certificates, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, fmt.Errorf("%s has no certificates (PEM)", file)
	}
	transport := http.DefaultTransport.(*http.Transport)
	if base != nil {
		transport = base.Transport.(*http.Transport) // of an httpProxy
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return &http.Client{Transport: transport}, nil
}
