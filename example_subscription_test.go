package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// errMissed ends the subscription of one who was too slow: whoever sends the changes closes
// a channel that is full, and the client asks for the rows anew.
var errMissed = errors.New("changes were missed")

// push sends each change for as long as the subscriber may see the rows that it is about.
func push(session *oidcauth.Session, may oidcauth.Rule, changes <-chan string, send func(change string)) error {
	for {
		select {
		case <-session.Context().Done():
			return context.Cause(session.Context())
		case change, more := <-changes:
			if !more {
				return errMissed
			}
			if err := ask(session, may); err != nil {
				return err
			}
			send(change)
		}
	}
}

// ask asks by the token of now. While nobody can tell its roles the change has to wait.
func ask(session *oidcauth.Session, may oidcauth.Rule) error {
	for {
		ctx := session.CallContext() // another for each push
		err := oidcauth.Require(ctx, may)
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

// readersOf are those who may see the rows of a tenant.
func readersOf(tenant string) (oidcauth.Rule, error) {
	theirs, err := oidcauth.ClaimRule{Claim: oidcauth.Path{"org_id"}, In: []string{tenant}}.Rule()
	if err != nil {
		return nil, err
	}
	return oidcauth.All(oidcauth.HasRole("reader"), theirs), nil
}

// A subscription goes on by each token that the session is renewed with, and ends when
// one is not of a reader of the same tenant.
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
	reader := func(tenant string) string {
		return issuer.Token(map[string]any{"roles": []string{"reader"}, "org_id": tenant})
	}
	claims, err := auth.Authenticate(ctx, reader("org_1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	session := auth.NewSession(ctx, claims)
	defer session.Close()

	may, err := readersOf("org_1")
	if err != nil {
		fmt.Println(err)
		return
	}
	changes, sent, ended := make(chan string), make(chan string), make(chan error)
	go func() { ended <- push(session, may, changes, func(change string) { sent <- change }) }()
	for _, tenant := range []string{"org_1", "org_2"} {
		if _, err := session.Renew(ctx, reader(tenant)); err != nil { // one identity by both
			fmt.Println(err)
		}
		changes <- "a note of org_1"
		select {
		case change := <-sent:
			fmt.Println("sent", change)
		case err := <-ended:
			fmt.Println("may not read any more:", errors.Is(err, oidcauth.ErrForbidden))
		}
	}
	full := make(chan string)
	close(full)
	fmt.Println("too slow:", push(session, may, full, func(change string) { fmt.Println("sent", change) }))
	// Output:
	// sent a note of org_1
	// may not read any more: true
	// too slow: changes were missed
}
