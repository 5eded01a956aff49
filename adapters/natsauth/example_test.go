package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// join makes what one server of a cluster has: a connection to NATS that is never given up,
// and an Authenticator that shares revocations over it.
func join(servers string, issuer *oidctest.Issuer) (*oidcauth.Authenticator, *nats.Conn, error) {
	conn, err := nats.Connect(servers,
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort())
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, nil, err
	}
	revocations, err := natsauth.New(natsauth.Config{
		JetStream: js,
		Grace:     5 * time.Second, // a NATS server that restarts ends no session
	})
	if err != nil {
		return nil, nil, err
	}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(), Revocations: revocations,
		RequireRevocations: true, // 503 while it is not known what the others revoked
	})
	return auth, conn, err
}

// What is revoked at one server ends the live sessions at another.
func Example() {
	dir, err := os.MkdirTemp("", "nats")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	if err != nil {
		log.Fatal(err)
	}
	ns.Start() // in place of a cluster of them
	defer ns.WaitForShutdown()
	defer ns.Shutdown()
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer issuer.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var nodes []*oidcauth.Authenticator
	for range 2 {
		auth, conn, err := join(ns.ClientURL(), issuer)
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close() // after the Authenticator
		defer auth.Close()
		if err := auth.Ready(ctx); err != nil { // when what was revoked before is known
			log.Fatal(err)
		}
		nodes = append(nodes, auth)
	}
	claims, err := nodes[1].Authenticate(ctx, issuer.Token(map[string]any{"sub": "mallory"}))
	if err != nil {
		log.Fatal(err)
	}
	session := nodes[1].NewSession(ctx, claims) // of a WebSocket, say
	defer session.Close()
	if err := nodes[0].Revoke(ctx, oidcauth.Revocation{Issuer: issuer.URL(), Subject: "mallory"}); err != nil {
		log.Fatal(err)
	}
	select {
	case <-session.Context().Done():
		fmt.Println(errors.Is(context.Cause(session.Context()), oidcauth.ErrRevoked))
	case <-ctx.Done():
		fmt.Println("the session did not end")
	}
	// Output: true
}
