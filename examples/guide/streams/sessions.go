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
		out, bodies := http.NewResponseController(w), r.ProtoMajor > 1 || r.ContentLength != 0
		limits := func(read, write time.Time) {
			if bodies { // without one, over HTTP/1, what is read is the connection's next request
				out.SetReadDeadline(read)
			}
			out.SetWriteDeadline(write)
		}
		if bodies && r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // there is none, which a limit could end
		}
		limits(time.Time{}, time.Now().Add(far)) // the server's are for requests that end
		told := make(chan struct{})
		stop := context.AfterFunc(session.Context(), func() {
			defer close(told)
			cancel(context.Cause(session.Context()))
			limits(time.Now(), time.Now().Add(10*time.Second)) // time to say why
		})
		defer func() {
			if !stop() {
				<-told // behind the handler the writer is nobody's
				return
			}
			soon := time.Now().Add(10 * time.Second) // for what is left, where a client takes nothing
			limits(soon, soon)
		}()
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}
