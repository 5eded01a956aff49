package grpcauth_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A database is a service that wants to know who calls.
type database struct {
	healthpb.UnimplementedHealthServer
}

func (database) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if err := oidcauth.Require(ctx, oidcauth.HasRole("operator")); err != nil {
		return nil, err // the client gets PermissionDenied
	}
	caller, _ := oidcauth.FromContext(ctx)
	fmt.Println(caller.Subject(), "asks")
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func Example() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{}) // in place of a real one
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	guard, err := grpcauth.New(grpcauth.Config{Authenticator: auth})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(guard.Unary),
		grpc.ChainStreamInterceptor(guard.Stream),
	)
	healthpb.RegisterHealthServer(server, database{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Stop()

	// Without TLS on loopback alone: whoever reads a token can use it.
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for _, roles := range [][]string{{"operator"}, {"guest"}} {
		token := issuer.Token(map[string]any{"sub": "alice", "aud": "my-db", "roles": roles})
		ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
		_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
		fmt.Printf("%v: %q\n", status.Code(err), status.Convert(err).Message())
	}
	// Output:
	// alice asks
	// OK: ""
	// PermissionDenied: "the caller may not do this"
}
