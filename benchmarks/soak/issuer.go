package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	audience = "soak"

	// tokenLife is how long tokens live at most. Keys stay published for longer, once
	// they sign no more.
	tokenLife = 3 * time.Minute
	keyLife   = tokenLife + time.Minute
)

// A provider is an issuer at a port, with keys that it changes.
type provider struct {
	*oidctest.Issuer
	address string

	mu        sync.Mutex // guards all below
	server    *http.Server
	published []publication
	rotations int
}

// A publication is a key, since when it is in the key set, and what it is forged with.
type publication struct {
	key       *oidctest.Key
	since     time.Time
	forgeries []oidctest.Forgery
}

// algorithms are those of an issuer's keys, in turn.
var algorithms = []string{"ES256", "RS256", "EdDSA"}

func newProvider() (*provider, error) {
	p := &provider{Issuer: oidctest.NewIssuer(nil, oidctest.Config{})}
	p.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: 5 * time.Minute, ETag: true})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.address = listener.Addr().String()
	p.SetURL("http://" + p.address)
	first := p.Key()
	p.rotate()
	p.RemoveKey(first.ID()) // made for another URL
	p.serve(listener)
	return p, nil
}

// rotate publishes another key and signs with it at once, which is the hard way.
func (p *provider) rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := p.NewKey(oidctest.KeyConfig{Algorithm: algorithms[p.rotations%len(algorithms)]})
	p.rotations++
	forgeries := key.Forgeries(map[string]any{"aud": audience, "exp": time.Now().Add(24 * time.Hour)})
	p.Publish(key)
	p.SignWith(key)
	p.published = append(p.published, publication{key, time.Now(), forgeries})
	if len(p.published) > 1 && time.Since(p.published[1].since) > keyLife {
		p.RemoveKey(p.published[0].key.ID())
		p.published = p.published[1:]
	}
}

// latest returns the key that signs.
func (p *provider) latest() publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published[len(p.published)-1]
}

// trustedBy returns the newest key by which all of these servers have accepted a token.
func (p *provider) trustedBy(j *judge, servers ...int) *oidctest.Key {
	p.mu.Lock()
	published := p.published
	p.mu.Unlock()
	for _, one := range slices.Backward(published) {
		unseen := func(server int) bool { return !j.trusts(server, one.key.ID()) }
		if !slices.ContainsFunc(servers, unseen) {
			return one.key
		}
	}
	return published[len(published)-1].key
}

func (p *provider) serve(listener net.Listener) {
	server := &http.Server{Handler: p.Handler(), ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener) // ends with the server
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
}

// fail begins an outage.
func (p *provider) fail(how string) {
	fault := oidctest.Fault{Status: http.StatusServiceUnavailable}
	switch how {
	case "hang":
		fault = oidctest.Fault{Hang: true}
	case "refused":
		p.mu.Lock()
		defer p.mu.Unlock()
		p.server.Close()
		return
	}
	p.Fail(oidctest.JWKS, fault)
	p.Fail(oidctest.Discovery, fault)
}

// recover ends it.
func (p *provider) recover(how string) error {
	p.Clear()
	if how != "refused" {
		return nil
	}
	var err error
	for range 100 { // somebody's connection to elsewhere may have taken the port
		var listener net.Listener
		if listener, err = net.Listen("tcp", p.address); err == nil {
			p.serve(listener)
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the issuer does not come back: %w", err)
}

func (p *provider) close() {
	p.mu.Lock()
	p.server.Close()
	p.mu.Unlock()
	p.Issuer.Close()
}
