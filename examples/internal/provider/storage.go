package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	requestLifetime = 5 * time.Minute
	refreshLifetime = time.Hour
)

var errNotKnown = errors.New("not known or expired")

// storage is the provider's memory. It satisfies [op.Storage] and the optional
// interfaces beside it.
type storage struct {
	keys    *keyRing
	clients map[string]*Client
	users   map[string]*User // by subject

	mu       sync.Mutex // guards all below
	requests map[string]*authRequest
	codes    map[string]string // code to request ID
	tokens   map[string]*issued
	refresh  map[string]*issued
	sessions map[string]*loginSession
}

// issued is an access token or a refresh token that is out there.
type issued struct {
	grant
	expires time.Time
}

var (
	_ op.Storage                        = (*storage)(nil)
	_ op.ClientCredentialsStorage       = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest      = (*storage)(nil)
	_ op.CanGetPrivateClaimsFromRequest = (*storage)(nil)
)

func newStorage(cfg Config, keys *keyRing) (*storage, error) {
	s := &storage{
		keys:     keys,
		clients:  make(map[string]*Client),
		users:    make(map[string]*User),
		requests: make(map[string]*authRequest),
		codes:    make(map[string]string),
		tokens:   make(map[string]*issued),
		refresh:  make(map[string]*issued),
		sessions: make(map[string]*loginSession),
	}
	for _, client := range cfg.Clients {
		if client.ID == "" || s.clients[client.ID] != nil {
			return nil, fmt.Errorf("provider: client ID empty or twice: got %q", client.ID)
		}
		s.clients[client.ID] = &client
	}
	for _, user := range cfg.Users {
		if user.Subject == "" {
			user.Subject = user.Name
		}
		if user.Subject == "" || user.Password == "" || s.users[user.Subject] != nil {
			return nil, fmt.Errorf("provider: user without name or password, or subject twice: got %q", user.Subject)
		}
		s.users[user.Subject] = &user
	}
	return s, nil
}

// sweep removes what has expired; the caller holds the lock.
func (s *storage) sweep() {
	now := time.Now()
	old := func(_ string, token *issued) bool { return now.After(token.expires) }
	maps.DeleteFunc(s.tokens, old)
	maps.DeleteFunc(s.refresh, old)
	maps.DeleteFunc(s.requests, func(_ string, r *authRequest) bool { return now.After(r.expires) })
	maps.DeleteFunc(s.codes, func(_, id string) bool { return s.requests[id] == nil })
}

// CreateAuthRequest remembers the start of a code flow.
func (s *storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	client, ok := s.clients[asked.ClientID]
	if !ok {
		return nil, fmt.Errorf("client %q: %w", asked.ClientID, errNotKnown)
	}
	request := &authRequest{
		grant:   grant{clientID: client.ID, audience: client.Audiences, scopes: asked.Scopes},
		id:      rand.Text(),
		asked:   asked,
		expires: time.Now().Add(requestLifetime),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	s.requests[request.id] = request
	return request, nil
}

// AuthRequestByID finds a code flow that is under way.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request, ok := s.requests[id]
	if !ok {
		return nil, fmt.Errorf("authorization request: %w", errNotKnown)
	}
	return request, nil
}

// AuthRequestByCode spends a code: a second use finds nothing.
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request, ok := s.requests[s.codes[code]]
	delete(s.codes, code)
	if !ok || time.Now().After(request.expires) {
		return nil, fmt.Errorf("authorization code: %w", errNotKnown)
	}
	return request, nil
}

// SaveAuthCode ties a code to its request.
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest ends a code flow.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

// SigningKey returns the key that signs now.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.keys.signing(), nil }

// KeySet returns the published keys.
func (s *storage) KeySet(context.Context) ([]op.Key, error) { return s.keys.published(), nil }

// SignatureAlgorithms goes into the discovery document.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.keys.algorithm}, nil
}

// GetClientByClientID finds a client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	client, ok := s.clients[id]
	if !ok {
		return nil, fmt.Errorf("client %q: %w", id, errNotKnown)
	}
	return registration{client}, nil
}

// AuthorizeClientIDSecret checks a client's secret.
func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	client, ok := s.clients[id]
	if !ok || !client.hasSecret(secret) {
		return fmt.Errorf("client %q or its secret: %w", id, errNotKnown)
	}
	return nil
}

// Health never fails: memory is always there.
func (s *storage) Health(context.Context) error { return nil }
