package oidcauth

import "context"

// VerifyLogout returns what a logout token says, if it is accepted.
func (a *Authenticator) VerifyLogout(ctx context.Context, token string) (tokenID, sessionID, subject string, err error) {
	l, err := a.verifyLogout(ctx, token)
	if err != nil {
		return "", "", "", err
	}
	return l.tokenID, l.sessionID, l.subject, nil
}
