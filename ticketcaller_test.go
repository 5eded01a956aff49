package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// A ticket for a token of a stranger's issuer, at a server that does not know the
// issuer yet, waits for it on the account of whoever uses the ticket.
func TestAuthenticateTicket_CallerAddr(t *testing.T) {
	for _, tt := range []struct {
		name, flood string
		want        error
	}{
		{"others flood", "192.0.2.1", nil},
		{"those without an address flood", "", nil},
		{"the caller floods", "192.0.2.2", oidcauth.ErrKeysUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuers, client := strangers(t, 1)
				local := newLocal(t, localissuer.Config{})
				cfg := open(client, oidcauth.AnyIssuer{})
				cfg.Issuers = []oidcauth.Issuer{local.Issuer()}
				seller := &counter{T: t, Issuer: issuers[0], Local: local, Auth: newAuthenticator(t, cfg)}
				cfg = open(hanging(client.Transport, 0), oidcauth.AnyIssuer{MaxFirstContacts: 1, FirstContactsPerSecond: 0.1})
				cfg.Issuers = []oidcauth.Issuer{local.Issuer()}
				a := newAuthenticator(t, cfg)
				flooding := t.Context()
				if tt.flood != "" {
					r := from()
					remote(tt.flood + ":1")(r)
					flooding = a.CallerContext(r)
				}
				ctx, stop := context.WithCancel(flooding)
				var wg sync.WaitGroup
				for n := range 60 {
					wg.Go(func() {
						time.Sleep(time.Duration(n) * 200 * time.Millisecond)
						if ctx.Err() == nil {
							_, _ = a.Authenticate(ctx, madeUp(fmt.Sprintf("https://hang-%d.test", n)))
						}
					})
				}
				time.Sleep(9*time.Second + 50*time.Millisecond) // as in TestMiddleware_CallerAddr
				r := from()
				remote("192.0.2.2:1")(r)
				if _, err := a.AuthenticateTicket(r, seller.Buy(issuers[0].Token(nil), anywhere), localissuer.AnyDatabase); !errors.Is(err, tt.want) {
					t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
				}
				stop()
				wg.Wait()
			})
		})
	}
}
