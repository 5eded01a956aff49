package streams

import (
	"context"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
)

type sessionKey struct{}

// SessionOf returns the session of a stream that WithSession has let in.
func SessionOf(ctx context.Context) *oidcauth.Session {
	session, _ := ctx.Value(sessionKey{}).(*oidcauth.Session)
	return session
}

// WithSession is Middleware for streams whose handlers see no writer, as those of Connect:
// what such a handler waits for, a message or room for its own, ends with the token, and when
// stopping does.
func WithSession(auth *oidcauth.Authenticator, stopping context.Context, next http.Handler) http.Handler {
	return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		session := auth.NewSession(r.Context(), claims)
		defer session.Close()
		defer context.AfterFunc(r.Context(), session.Close)() // the client has left
		defer context.AfterFunc(stopping, session.Close)()
		ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), sessionKey{}, session))
		defer cancel(nil)
		out := http.NewResponseController(w)
		until := func(t time.Time) {
			if r.ProtoMajor > 1 { // before, a read is the connection's, which goes on: ReadTimeout stays
				out.SetReadDeadline(t)
			}
		}
		until(time.Time{}) // the server's time limits are for requests that end
		out.SetWriteDeadline(time.Time{})
		told := make(chan struct{})
		stop := context.AfterFunc(session.Context(), func() {
			defer close(told)
			cancel(context.Cause(session.Context()))
			until(time.Now())
			out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // time to say why
		})
		defer func() {
			if !stop() {
				<-told // behind the handler the writer is nobody's
			}
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}
