package firstmessage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/firstmessage"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestBegin: a good token begins a session, a bad one closes the connection with its
// reason, and so does none within ten seconds.
func TestBegin(t *testing.T) {
	_, _, wantNone := oidcauth.Answer(oidcauth.ErrNoToken)
	for name, tt := range map[string]struct {
		claims map[string]any
		first  string // with the token in the place of %s; empty for no message
		code   websocket.StatusCode
		took   time.Duration
	}{
		"good":          {nil, `{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, websocket.StatusNormalClosure, 0},
		"another's":     {map[string]any{"aud": "other"}, `{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, 3000, 0},
		"no token":      {nil, `{"type":"connection_init"}`, 3000, 0},
		"no JSON":       {nil, `x`, websocket.StatusInvalidFramePayloadData, 0},
		"nothing comes": {nil, "", -1, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				idp := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
				auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client()})
				if err != nil {
					t.Fatal(err)
				}
				defer auth.Close()
				server, client := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					conn, err := websocket.Accept(w, r, nil)
					if err != nil {
						return
					}
					session, err := firstmessage.Begin(auth, r, conn)
					if err != nil {
						return
					}
					defer session.Close()
					if oidcauth.Require(session.CallContext()) == nil {
						conn.Close(websocket.StatusNormalClosure, "")
					}
				}))
				defer server.Close()
				defer client.CloseIdleConnections()
				begun := time.Now()
				conn, _, err := websocket.Dial(t.Context(), "ws://db.test/", &websocket.DialOptions{HTTPClient: client})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.CloseNow()
				if tt.first != "" {
					message := tt.first
					if name == "good" || name == "another's" {
						message = fmt.Sprintf(tt.first, idp.Token(tt.claims))
					}
					if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
						t.Fatal(err)
					}
				}
				_, _, err = conn.Read(context.Background())
				if closed, _ := errors.AsType[websocket.CloseError](err); name == "no token" && closed.Reason != wantNone {
					t.Errorf("closed because %q, want %q", closed.Reason, wantNone)
				}
				if got := websocket.CloseStatus(err); got != tt.code || time.Since(begun) != tt.took {
					t.Errorf("closed with %d after %v: %v, want %d after %v", got, time.Since(begun), err, tt.code, tt.took)
				}
			})
		})
	}
}

// TestBegin_StrangerStays: a stranger who is told to go cannot stay for longer than they
// might have taken for a good message.
func TestBegin_StrangerStays(t *testing.T) {
	for name, first := range map[string]string{"no token": "{}", "no JSON": "x"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				idp := oidctest.NewIssuer(t, oidctest.Config{})
				auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client()})
				if err != nil {
					t.Fatal(err)
				}
				defer auth.Close()
				server, client := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if conn, err := websocket.Accept(w, r, nil); err == nil {
						firstmessage.Begin(auth, r, conn)
					}
				}))
				defer server.Close()
				raw, err := client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				time.AfterFunc(time.Hour, func() { raw.Close() })
				io.WriteString(raw, "GET / HTTP/1.1\r\nHost: db.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				time.AfterFunc(8*time.Second, func() {
					raw.Write(append([]byte{0x81, byte(0x80 | len(first)), 0, 0, 0, 0}, first...)) // a text, masked
				})
				io.Copy(io.Discard, raw)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("the stranger was gone after %v, want 10s at most", took)
				}
			})
		})
	}
}
