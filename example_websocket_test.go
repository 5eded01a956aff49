package oidcauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// subscribe serves a WebSocket for as long as its client's token is good.
func subscribe(auth *oidcauth.Authenticator) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"notes.v1"}, // never the one that holds the token
		})
		if err != nil {
			return // Accept has answered
		}
		claims, _ := oidcauth.FromContext(r.Context())
		session := auth.NewSession(r.Context(), claims) // outlives the request
		defer session.Close()
		session.OnExpiring(time.Minute, func() { send(conn, "send a new token") })
		context.AfterFunc(session.Context(), func() {
			code, reason := oidcauth.CloseCode(context.Cause(session.Context()))
			// Close alone may wait for a client without end.
			defer time.AfterFunc(10*time.Second, func() { conn.CloseRead(session.Context()) }).Stop()
			conn.Close(websocket.StatusCode(code), reason)
		})
		calls := make(chan string, 16)
		go func() { // apart from the calls: a renewal must not wait for slow ones
			defer close(calls)
			defer session.Close() // what waits is called by nobody any more
			for {
				// Not with the session's context: a read that it broke off would take
				// the connection with it before the client is told why.
				_, message, err := conn.Read(r.Context())
				if err != nil {
					return
				}
				if token, renewal := bytes.CutPrefix(message, []byte("token ")); renewal {
					_, err := session.Renew(r.Context(), string(token))
					send(conn, "token "+answer("renewed", err))
					continue
				}
				select {
				case calls <- string(message):
				default:
					send(conn, "error 429: too many calls wait")
				}
			}
		}()
		for message := range calls {
			send(conn, call(session.CallContext(), message)) // one consistent set of claims
		}
	}
}

// call is a function of the database.
func call(ctx context.Context, name string) string {
	if err := oidcauth.Require(ctx, oidcauth.HasRole("writer")); err != nil {
		return answer("", err)
	}
	caller, _ := oidcauth.FromContext(ctx)
	return caller.Subject() + " called " + name
}

// answer is what a client may know: what to do it tells by the status.
func answer(result string, err error) string {
	if err != nil {
		status, _, description := oidcauth.Answer(err)
		return fmt.Sprintf("error %d: %s", status, description)
	}
	return result
}

func send(conn *websocket.Conn, message string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn.Write(ctx, websocket.MessageText, []byte(message)) // the reader notices a failure
}

// A browser opens a WebSocket with its token as a subprotocol, renews it in
// place, and is told why the connection ends.
func Example_webSocket() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
		Extract: oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolToken),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	server := httptest.NewServer(auth.Middleware(subscribe(auth)))
	defer server.Close()

	ctx := context.Background()
	guest := issuer.Token(nil)
	writer := issuer.Token(map[string]any{"roles": []string{"writer"}, "sid": "login-1"})
	client, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{
		Subprotocols: []string{"notes.v1", "bearer." + base64.RawURLEncoding.EncodeToString([]byte(guest))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseNow()
	fmt.Println("speaks", client.Subprotocol())
	for _, message := range []string{"add_note", "token " + writer, "add_note"} {
		send(client, message)
		_, reply, err := client.Read(ctx)
		fmt.Println(string(reply), err)
	}
	if err := auth.Revoke(ctx, oidcauth.Revocation{SessionID: "login-1"}); err != nil {
		fmt.Println(err)
	}
	_, _, err = client.Read(ctx)
	fmt.Println(websocket.CloseStatus(err))
	// Output:
	// speaks notes.v1
	// error 403: the caller may not do this <nil>
	// token renewed <nil>
	// alice called add_note <nil>
	// StatusCode(3000)
}
