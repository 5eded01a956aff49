package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/introspect"
)

// introspectionConfig is "introspection" of an issuer in the configuration file.
type introspectionConfig struct {
	Endpoint         string   `json:"endpoint" about:"where to ask; without it where the issuer's discovery document says"`
	ClientID         string   `json:"client_id" about:"this server's client ID at the issuer"`
	ClientSecretFile fileName `json:"client_secret_file" about:"a file with its secret, read at each question"`
	SecretInBody     bool     `json:"secret_in_body" about:"true to send both in the form, for endpoints that do not take them in the header"`
}

// An introspector is all that makes one: two that are equal ask in the same way.
type introspector struct {
	config           introspectionConfig
	issuer           string
	client           *http.Client // before it trusts the certificates alone
	certificates     string
	insecureHTTP     bool
	insecureHTTPFrom string
}

// An introspection asks what a token stands for.
type introspection = func(ctx context.Context, token string) (json.RawMessage, error)

// introspections are the functions by what they were made of: those of the configuration
// that is in force, and of the one that was read last. Of equal ones there is one, so that
// an issuer that is described as before is known to be, and keeps its answers.
type introspections struct {
	inForce, read map[introspector]introspection
}

// begin is called before a configuration is read.
func (all *introspections) begin() { all.read = make(map[introspector]introspection) }

// keep says that what was read last is in force. What was before is let go of.
func (all *introspections) keep() { all.inForce = all.read }

// orAsBefore returns the function that was made of the same before, or ask.
func (all *introspections) orAsBefore(made introspector, ask introspection) introspection {
	for _, known := range []map[introspector]introspection{all.read, all.inForce} {
		if before := known[made]; before != nil {
			ask = before
			break
		}
	}
	all.read[made] = ask
	return ask
}

// apply has the issuer asked about its opaque tokens, over connections like those by
// which its keys are fetched.
func (c *introspectionConfig) apply(i *oidcauth.Issuer, all *introspections) error {
	made := introspector{
		config: *c, issuer: i.URL, client: i.Keys.Client,
		insecureHTTP: i.Keys.InsecureHTTP, insecureHTTPFrom: strings.Join(i.Keys.InsecureHTTPHosts, " "),
	}
	client, certificates, err := clientTrusting(i.Keys.Client, i.Keys.CAFile)
	made.certificates = certificates
	var secretFile string
	if err == nil {
		secretFile, err = c.ClientSecretFile.path()
		made.config.ClientSecretFile = fileName(secretFile)
	}
	var ask introspection
	if err == nil { // also where there is one already: the file of the secret may be gone
		ask, err = introspect.New(introspect.Config{
			Issuer: i.URL, Endpoint: c.Endpoint, ClientID: c.ClientID,
			ClientSecretFile: secretFile, SecretInBody: c.SecretInBody,
			Client: client, InsecureHTTP: i.Keys.InsecureHTTP, InsecureHTTPHosts: i.Keys.InsecureHTTPHosts,
		})
	}
	if err != nil {
		return usagef("introspection of issuer %q: %w", i.URL, err)
	}
	i.Introspect = all.orAsBefore(made, ask)
	return nil
}

// trusting says what a client is like that trusts certificates alone.
type trusting struct {
	base         *http.Client
	certificates string
}

// trustingClients are the clients that trust certificates alone. There is one for each
// kind, so that a file that is read anew leaves no connections of its own behind.
var trustingClients struct {
	mu sync.Mutex // guards by
	by map[trusting]weak.Pointer[http.Client]
}

// client returns it.
func (like trusting) client(pool *x509.CertPool) *http.Client {
	trustingClients.mu.Lock()
	defer trustingClients.mu.Unlock()
	if c := trustingClients.by[like].Value(); c != nil {
		return c
	}
	maps.DeleteFunc(trustingClients.by, func(_ trusting, c weak.Pointer[http.Client]) bool { return c.Value() == nil })
	transport := http.DefaultTransport.(*http.Transport)
	if like.base != nil {
		transport = like.base.Transport.(*http.Transport) // of an httpProxy
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	fetch.NoticeDead(transport, readTimeout)
	c := &http.Client{Transport: transport}
	if trustingClients.by == nil {
		trustingClients.by = make(map[trusting]weak.Pointer[http.Client])
	}
	trustingClients.by[like] = weak.Make(c)
	return c
}

// clientTrusting returns a client like base, or like the usual one for nil, that trusts
// the certificates in a file alone, as they are now, and these; base itself for no file.
func clientTrusting(base *http.Client, file string) (client *http.Client, certificates string, err error) {
	if file == "" {
		return base, "", nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, "", fmt.Errorf("%s has no certificates (PEM)", file)
	}
	return trusting{base, string(pem)}.client(pool), string(pem), nil
}
