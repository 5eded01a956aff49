package spacetime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// serve answers each message in the name of whoever is at the other end.
func serve(ctx context.Context, c *spacetime.Conn) {
	for {
		message, err := c.Read(ctx) // ctx ends with the connection
		if err != nil {
			return
		}
		caller, known := oidcauth.FromContext(c.Session.CallContext())
		if !known {
			return // the session has just ended
		}
		answer := fmt.Sprintf("%s in %s: %s", caller.Subject(), c.Database, message)
		if err := c.Write(ctx, []byte(answer)); err != nil {
			return
		}
	}
}

// exists says which databases there are, before anybody is connected to one.
func exists(_ context.Context, name string) error {
	if name != "chat" {
		return spacetime.ErrNoDatabase // answered with 404
	}
	return nil
}

// A guest buys a ticket as SpacetimeDB's clients do, and connects with it.
func Example() {
	parent, err := os.MkdirTemp("", "spacetime")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	local, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: filepath.Join(parent, "keys"), Audiences: []string{"my-db"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer local.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{local.Issuer()}, // and those of people who have an account
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	routes, err := spacetime.New(spacetime.Config{Auth: auth, Local: local, Anonymous: true, Database: exists, Serve: serve})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(routes)
	defer server.Close()
	defer routes.Close(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	token, _, err := local.Issue(ctx, localissuer.Request{Subject: "guest-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("POST", "/v1/identity/websocket-token", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	var ticket struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &ticket); err != nil {
		fmt.Println(err)
		return
	}
	conn, _, err := websocket.Dial(ctx, server.URL+"/v1/database/chat/subscribe?token="+ticket.Token, &websocket.DialOptions{
		Subprotocols: []string{"v2.bsatn.spacetimedb"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.CloseNow()
	_, first, err := conn.Read(ctx) // identity, connection ID and token
	fmt.Println(len(first) > 0, err)
	if err := conn.Write(ctx, websocket.MessageBinary, []byte("hello")); err != nil {
		fmt.Println(err)
	}
	_, reply, err := conn.Read(ctx)
	fmt.Println(string(reply), err)
	// Output:
	// true <nil>
	// guest-1 in chat: hello <nil>
}
