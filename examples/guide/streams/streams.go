// Package streams sends events over HTTP for as long as the caller's token is good.
package streams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
)

// far stands for no time limit. Where there was none, over HTTP/2, one that is set as a stream
// ends may go off behind it, which nginx takes for the end of the next stream.
const far = 365 * 24 * time.Hour

// Events sends what comes until the token ends, the client leaves, stopping does, or no more
// comes. Each caller needs a channel of its own: callers of one share what comes.
func Events(auth *oidcauth.Authenticator, stopping context.Context, events <-chan string) http.Handler {
	return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		session := auth.NewSession(r.Context(), claims)
		defer session.Close()
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		limit := func() { out.SetWriteDeadline(time.Now().Add(10 * time.Second)) } // for one that does not read
		defer limit()
		for out.Flush() == nil {
			out.SetWriteDeadline(time.Now().Add(far)) // over HTTP/2 it ends streams that write nothing, too
			select {
			case <-session.Context().Done(): // the token has expired, or was revoked
				return
			case <-r.Context().Done(): // the client has left
				return
			case <-stopping.Done():
				return
			case event, more := <-events:
				if !more || session.Context().Err() != nil {
					return // of several that are ready select takes any
				}
				limit()
				fmt.Fprintf(w, "data: %s\n\n", dataLines.Replace(event))
			}
		}
	}))
}

// dataLines has each line of an event be one of its data: a line that is empty ends the
// event, and what somebody wrote could go on with another.
var dataLines = strings.NewReplacer("\r\n", "\ndata: ", "\n", "\ndata: ", "\r", "\ndata: ")

// Stop ends the streams, lets all other requests finish, and then ends the sessions.
func Stop(ctx context.Context, server *http.Server, stopStreams func(), auth *oidcauth.Authenticator) error {
	server.RegisterOnShutdown(stopStreams) // called as Shutdown begins
	err := server.Shutdown(ctx)
	return errors.Join(err, auth.Close())
}
