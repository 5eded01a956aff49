package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// newBoundServer accepts tokens that are bound to a key or to a certificate, and none
// that whoever has it can use.
func newBoundServer(issuer oidcauth.Issuer, address string, client *http.Client) (*oidcauth.Authenticator, error) {
	proofs, err := dpop.New(dpop.Config{PublicURL: address, Nonces: true})
	if err != nil {
		return nil, err
	}
	issuer.Bound = "require"
	return oidcauth.New(oidcauth.Config{
		Issuers:     []oidcauth.Issuer{issuer},
		Client:      client,
		DPoP:        proofs,
		Certificate: mtls.Connection,
	})
}

// renewBound puts a session under a client's next token. The message has, beside it, a
// proof over the nonce that the client was told.
func renewBound(ctx context.Context, session *oidcauth.Session, token, proof string) error {
	ctx = possession.NewContext(ctx, possession.Proof{DPoP: proof})
	_, err := session.Renew(ctx, token)
	return err
}

// A client that has the key is let in; a thief who has the token is not.
func Example_dpop() {
	t := new(testing.T) // in a test, the test's own
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	defer issuer.Close()
	server := httptest.NewUnstartedServer(nil)
	server.Start()
	defer server.Close()
	auth, err := newBoundServer(oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{"my-db"}}, server.URL, issuer.Client())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	var session *oidcauth.Session
	server.Config.Handler = auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		session = auth.NewSession(r.Context(), claims)
	}))

	owner, thief := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
	token := issuer.Token(map[string]any{"aud": "my-db", "cnf": map[string]any{"jkt": owner.Thumbprint()}})
	for _, client := range []*oidctest.Prover{owner, thief} {
		response, err := client.Client(token, nil).Get(server.URL + "/v1/subscribe")
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
		fmt.Println(response.Status)
	}

	nonce := map[string]any{"nonce": session.Nonce()}
	stolen := renewBound(context.Background(), session, token, thief.Proof("GET", server.URL+"/v1/subscribe", token, nonce))
	fmt.Println(errors.Is(stolen, oidcauth.ErrProof))
	fmt.Println(renewBound(context.Background(), session, token, owner.Proof("GET", server.URL+"/v1/subscribe", token, nonce)))
	// Output:
	// 200 OK
	// 401 Unauthorized
	// true
	// <nil>
}
