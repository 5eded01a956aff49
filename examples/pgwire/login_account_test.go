package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oidcauth/oidcauth"
)

// connFrom is a connection in memory from an address.
type connFrom struct {
	net.Conn
	remote net.Addr
}

func (c connFrom) RemoteAddr() net.Addr { return c.remote }

// logInFrom says whether a server lets in who comes from an address with a password.
func logInFrom(ctx context.Context, s *server, from net.Addr, password string) error {
	near, far := net.Pipe()
	defer near.Close()
	go s.handle(ctx, connFrom{far, from})
	client := pgproto3.NewFrontend(near, near)
	client.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "anybody"}})
	if err := client.Flush(); err != nil {
		return err
	}
	for {
		message, err := client.Receive()
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.AuthenticationCleartextPassword:
			client.Send(&pgproto3.PasswordMessage{Password: password})
			if err := client.Flush(); err != nil {
				return err
			}
		case *pgproto3.AuthenticationOk:
			return nil
		case *pgproto3.ErrorResponse:
			return fmt.Errorf("%s: %s", m.Code, m.Message)
		}
	}
}

// TestLogIn_Account: whoever makes opaque tokens up, of which their issuer has to be asked,
// keeps nobody out who comes from elsewhere.
func TestLogIn_Account(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{
			URL: "https://issuer.test", Audiences: []string{"my-db"}, OpaquePrefix: "op_",
			Introspect: func(_ context.Context, token string) (json.RawMessage, error) {
				time.Sleep(50 * time.Millisecond)
				if !strings.HasPrefix(token, "op_honest") {
					return json.RawMessage(`{"active": false}`), nil
				}
				return json.Marshal(map[string]any{"active": true, "sub": "alice", "aud": "my-db", "exp": time.Now().Add(time.Hour).Unix()})
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		s := &server{auth: auth, logger: slog.New(slog.DiscardHandler)}
		mallory := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66), Port: 1}
		honest := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7), Port: 1}
		var flood sync.WaitGroup
		end := time.Now().Add(20 * time.Second)
		for worker := range 200 {
			flood.Go(func() {
				for n := 0; time.Now().Before(end); n++ {
					if err := logInFrom(ctx, s, mallory, fmt.Sprintf("op_made_up_%d_%d", worker, n)); err == nil {
						t.Error("a made-up token is let in")
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		for n := range 3 {
			time.Sleep(5*time.Second + 7*time.Millisecond)
			begun := time.Now()
			if err := logInFrom(ctx, s, honest, fmt.Sprintf("op_honest%d", n)); err != nil || time.Since(begun) > time.Second {
				t.Errorf("who comes from elsewhere: error = %v after %v", err, time.Since(begun))
			}
		}
		flood.Wait()
		stop()
		synctest.Wait()
	})
}
