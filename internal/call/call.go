// Package call says on which session a call is made, so that it may do nothing more once
// that has ended.
package call

import "context"

// SessionKey finds the context of the session in the values of a call's context.
type SessionKey struct{}

// On returns a context for a call on a session, whose context is given.
func On(ctx, session context.Context) context.Context {
	return context.WithValue(ctx, SessionKey{}, session)
}

// SessionOf returns the context of the session that a call is made on; nil for what is no
// call on a session.
func SessionOf(ctx context.Context) context.Context {
	session, _ := ctx.Value(SessionKey{}).(context.Context)
	return session
}
