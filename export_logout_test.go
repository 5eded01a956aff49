package oidcauth

import (
	"context"

	"github.com/oidcauth/oidcauth/internal/verify"
)

// VerifyLogout returns what a logout token says, if it is accepted.
func (a *Authenticator) VerifyLogout(ctx context.Context, token string) (tokenID, sessionID, subject string, err error) {
	l, err := verify.CheckLogout(ctx, a.env, token, a.now())
	if err != nil {
		return "", "", "", err
	}
	return l.TokenID, l.SessionID, l.Subject, nil
}
