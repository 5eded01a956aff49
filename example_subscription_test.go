package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// push sends each change for as long as the subscriber may read.
func push(session *oidcauth.Session, changes <-chan string, send func(change string)) error {
	for {
		select {
		case <-session.Context().Done():
			return context.Cause(session.Context())
		case change := <-changes:
			if err := mayRead(session); err != nil {
				return err
			}
			send(change)
		}
	}
}

// mayRead asks by the roles of now. While nobody can tell them the change has to wait.
func mayRead(session *oidcauth.Session) error {
	for {
		ctx := session.CallContext() // another for each push
		err := oidcauth.Require(ctx, oidcauth.HasRole("reader"))
		if !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			return err
		}
		select {
		case <-session.Context().Done():
			return context.Cause(session.Context())
		case <-time.After(time.Second):
		}
	}
}

// A subscription goes on by each token that the session is renewed with, and ends when
// one lacks the role.
func ExampleSession_CallContext() {
	issuer := oidctest.NewIssuer(nil, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	defer issuer.Close()
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer auth.Close()
	ctx := context.Background()
	claims, err := auth.Authenticate(ctx, issuer.Token(map[string]any{"roles": []string{"reader"}}))
	if err != nil {
		fmt.Println(err)
		return
	}
	session := auth.NewSession(ctx, claims)
	defer session.Close()

	changes, sent, ended := make(chan string), make(chan string), make(chan error)
	go func() { ended <- push(session, changes, func(change string) { sent <- change }) }()
	changes <- "a note"
	fmt.Println("sent", <-sent)
	if _, err := session.Renew(ctx, issuer.Token(nil)); err != nil { // without the role
		fmt.Println(err)
	}
	changes <- "another note"
	fmt.Println("may not read any more:", errors.Is(<-ended, oidcauth.ErrForbidden))
	// Output:
	// sent a note
	// may not read any more: true
}
