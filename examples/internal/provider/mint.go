package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// IDToken returns an ID token such as the client would get for the user at the
// end of a code flow, without the flow: for tests that are not about it.
func (p *Provider) IDToken(ctx context.Context, clientID, userName string) (string, error) {
	g, client, err := p.grantFor(clientID, userName)
	if err != nil {
		return "", err
	}
	token, err := op.CreateIDToken(ctx, p.issuer, g, client.IDTokenLifetime(), "", "", p.storage, client)
	if err != nil {
		return "", fmt.Errorf("provider: ID token: %w", err)
	}
	return token, nil
}

// AccessToken returns an access token such as the client would get for the
// user, or for itself when userName is empty, without a flow.
func (p *Provider) AccessToken(ctx context.Context, clientID, userName string) (string, error) {
	g, client, err := p.grantFor(clientID, userName)
	if err != nil {
		return "", err
	}
	ctx = op.ContextWithIssuer(ctx, p.issuer)
	token, _, _, err := op.CreateAccessToken(ctx, g, client.AccessTokenType(), p.op, client, "")
	if err != nil {
		return "", fmt.Errorf("provider: access token: %w", err)
	}
	return token, nil
}

func (p *Provider) grantFor(clientID, userName string) (*grant, registration, error) {
	client, ok := p.storage.clients[clientID]
	if !ok {
		return nil, registration{}, fmt.Errorf("provider: client %q: %w", clientID, errNotKnown)
	}
	g := &grant{clientID: clientID, subject: clientID, audience: client.Audiences, authTime: time.Now()}
	if userName == "" {
		return g, registration{client}, nil
	}
	for _, user := range p.storage.users {
		if user.Name == userName {
			g.subject, g.sessionID, g.scopes = user.Subject, rand.Text(), []string{oidc.ScopeOpenID}
			return g, registration{client}, nil
		}
	}
	return nil, registration{}, fmt.Errorf("provider: user %q: %w", userName, errNotKnown)
}
