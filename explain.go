package oidcauth

import (
	"context"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// Explain runs the checks of [Authenticator.Authenticate] on a token and reports
// each of them. Where it can, it goes on after a failure, so that one report
// shows everything there is to mend; the first failure is the one that counts.
// Like Authenticate it may fetch the issuer's keys.
func (a *Authenticator) Explain(ctx context.Context, token string) explain.Report {
	var e verify.Evaluation
	e.Begin(a.env, token, a.now())
	return e.Explain(ctx)
}
