package grpcauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// FuzzUnary: a call gets through if an HTTP request with the same headers would, and
// nothing of the token reaches its handler.
func FuzzUnary(f *testing.F) {
	for _, seed := range [][4]string{
		{"Bearer TOKEN", "", "", ""}, {"bearer  TOKEN ", "Bearer TOKEN", "Bearer TOKEN", "session=TOKEN"}, {"Bearer TOKEN", "Basic x", "", ""}, {"Basic x", "", "Bearer TOKEN", ""}, {"", "", "Bearer TOKEN", "TOKEN"},
		{"Bearer TOKEN, Bearer TOKEN", "", "", ""}, {"DPoP TOKEN", "", "", ""}, {"BearerTOKEN", "", "", ""}, {"Bearer TOKEN", "", "Basic x", ""}, {"Bearer TOKEN", "", "", "eyJTOKENeyJ"}, {"Bearer TOKEN", "", "", "HALFTOKENREST"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}})
	f.Cleanup(issuer.Close)
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}}}, Client: issuer.Client()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { auth.Close() })
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: auth})
	if err != nil {
		f.Fatal(err)
	}
	token := issuer.Token(map[string]any{"exp": int64(4102444800)})
	filled := strings.NewReplacer("TOKEN", token, "HALF", token[:50], "REST", token[50:])
	f.Fuzz(func(t *testing.T, first, second, copied, other string) {
		md := metadata.MD{}
		for _, pair := range [][2]string{{"authorization", first}, {"authorization", second}, {gateway, copied}, {"x-other", other}} {
			if pair[1] != "" {
				md[pair[0]] = append(md[pair[0]], filled.Replace(pair[1]))
			}
		}
		all := slices.Clone(md["authorization"])
		if len(all) > 0 && copied != "" && !slices.Contains(all, filled.Replace(copied)) {
			all = append(all, filled.Replace(copied))
		}
		r := &http.Request{Header: http.Header{}}
		if len(all) > 0 {
			r.Header["Authorization"] = all
		}
		want, wantErr := oidcauth.BearerToken(r)
		var seen metadata.MD
		_, err := guard.Unary(metadata.NewIncomingContext(t.Context(), md), nil, &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, _ any) (any, error) {
			seen, _ = metadata.FromIncomingContext(ctx)
			if claims, _ := oidcauth.FromContext(ctx); claims.Subject() != "alice" {
				t.Errorf("the handler is called by %v", claims)
			}
			return nil, nil
		})
		if (err == nil) != (wantErr == nil && want == token) || err == nil && seen == nil {
			t.Errorf("error = %v, and over HTTP %v, for %q", err, wantErr, md)
		}
		for key, values := range seen {
			if strings.Contains(strings.Join(values, "\n"), token) {
				t.Errorf("the handler sees the token in %s: %q", key, values)
			}
		}
		if err != nil && (strings.Contains(err.Error(), token) || errors.Is(err, context.Canceled)) {
			t.Errorf("error = %v", err)
		}
	})
}
