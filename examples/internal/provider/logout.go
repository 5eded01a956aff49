package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// logoutLifetime is how long a logout token is good: the specification
	// recommends two minutes at most.
	logoutLifetime = 2 * time.Minute
	// notifyLimit is how long the person who signs out waits for one client.
	notifyLimit = 5 * time.Second
)

var _ op.CanTerminateSessionFromRequest = (*storage)(nil)

// logout is the end of one login session: what its clients are told.
type logout struct {
	issuer, subject, sessionID string
}

// TerminateSessionFromRequest signs a person out of the login session that the
// ID token hint names, with everything that clients got through it, and tells
// each of these clients by its back-channel logout URI (OpenID Connect
// Back-Channel Logout 1.0). The session has ended even if one cannot be told;
// the error then says which.
func (s *storage) TerminateSessionFromRequest(ctx context.Context, request *op.EndSessionRequest) (string, error) {
	ended := logout{issuer: op.IssuerFromContext(ctx), subject: request.UserID}
	if request.IDTokenHintClaims != nil {
		ended.sessionID, _ = request.IDTokenHintClaims.Claims["sid"].(string)
	}
	if ended.subject == "" || ended.sessionID == "" {
		return request.RedirectURI, nil // no session that could end
	}
	var failed []error
	for _, client := range s.endSession(ended, request.ClientID) {
		if err := s.notify(ctx, client, ended); err != nil {
			failed = append(failed, fmt.Errorf("client %q was not told: %w", client.ID, err))
		}
	}
	return request.RedirectURI, errors.Join(failed...)
}

// endSession removes a login session and its tokens. It returns the clients that
// want to know, the one that asks among them.
func (s *storage) endSession(ended logout, asking string) []*Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	clientIDs := map[string]bool{asking: true}
	maps.DeleteFunc(s.sessions, func(_ string, session *loginSession) bool {
		if session.id != ended.sessionID {
			return false
		}
		maps.Copy(clientIDs, session.clients)
		return true
	})
	theirs := func(_ string, token *issued) bool { return token.sessionID == ended.sessionID }
	maps.DeleteFunc(s.tokens, theirs)
	maps.DeleteFunc(s.refresh, theirs)
	var told []*Client
	for id := range clientIDs {
		if client := s.clients[id]; client != nil && client.BackChannelLogoutURI != "" {
			told = append(told, client)
		}
	}
	return told
}

// notify sends a client its logout token and waits for the answer.
func (s *storage) notify(ctx context.Context, client *Client, ended logout) error {
	token, err := s.keys.sign("logout+jwt", oidc.NewLogoutTokenClaims(
		ended.issuer, ended.subject, oidc.Audience{client.ID},
		time.Now().Add(logoutLifetime), rand.Text(), ended.sessionID, 0))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, client.BackChannelLogoutURI, form)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("got status %d, want 200", response.StatusCode)
	}
	return nil
}

// TerminateSession does nothing: TerminateSessionFromRequest replaces it.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }
