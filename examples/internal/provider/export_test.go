package provider

import (
	"context"
	"fmt"

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

// Withdraw takes every key but the one in use out of the published set, as an
// operator does when a key has leaked: tokens signed by them are no longer
// good.
func (p *Provider) Withdraw() {
	r := p.keys
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = []*signingKey{r.keys[len(r.keys)-1]}
}
