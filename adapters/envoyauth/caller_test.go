package envoyauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/envoyauth"
)

// askedBy is Envoy's question about a request with a token, from an address.
func askedBy(address, token string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: address},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/", Headers: map[string]string{"authorization": "Bearer " + token},
		}},
	}}
}

// What tokens cause is on the account of the client that Envoy names, so that one who
// makes tokens up uses up nobody else's turns.
func TestCheck_Caller(t *testing.T) {
	synctest.Test(t, testCaller)
}

func testCaller(t *testing.T) {
	const issuer = "https://issuer.test"
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: issuer, Audiences: []string{"my-db"},
		Introspect: func(ctx context.Context, token string) (json.RawMessage, error) {
			if strings.HasPrefix(token, "made-up") {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return json.RawMessage(fmt.Sprintf(`{"active":true,"sub":"alice","aud":"my-db","exp":%d}`, time.Now().Add(time.Hour).Unix())), nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := envoyauth.New(envoyauth.Config{Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer func() { cancel(); auth.Close(); flood.Wait() }()
	for n := range 100 {
		flood.Go(func() { answers.Check(ctx, askedBy("203.0.113.9", fmt.Sprint("made-up-", n))) })
	}
	synctest.Wait()
	began := time.Now()
	got, err := answers.Check(t.Context(), askedBy("198.51.100.7", "good"))
	if waited := time.Since(began); err != nil || got.GetOkResponse() == nil || waited > 0 {
		t.Errorf("another client: %v, %v after %v, want it to pass at once", got, err, waited)
	}
}
