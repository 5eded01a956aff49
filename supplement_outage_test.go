package oidcauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// That the issuer refuses the server's own client secret is logged, also where somebody sends
// a token that stands in every error's text.
func TestIntrospect_OutageBesideAnotherReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Issuers[0].OpaquePrefix = "" })
		d.set("", "", errors.New("introspect: got status 401 of the server's own client secret"))
		for n := range 60 {
			_, _ = d.auth.Authenticate(t.Context(), "e")
			for m := range 59 {
				time.Sleep(time.Second)
				_, _ = d.auth.Authenticate(t.Context(), fmt.Sprint("op_", n, "_", m))
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if text := d.log.String(); !strings.Contains(text, "client secret") {
			t.Errorf("nobody reads why: %.600s", text)
		}
	})
}

// A failure that somebody brings about each minute does not take the place of the one that
// everybody has.
func TestIntrospect_OutageBesideAChosenReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, nil)
		for n := range 10 {
			d.set("", "", errors.New("introspect: got status 414, for a long token"))
			_, _ = d.auth.Authenticate(t.Context(), "op_"+strings.Repeat("x", 16000))
			d.set("", "", errors.New("introspect: got status 401 of the server's own client secret"))
			for m := range 59 {
				time.Sleep(time.Second)
				_, _ = d.auth.Authenticate(t.Context(), fmt.Sprint("op_", n, "_", m))
			}
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if text := d.log.String(); !strings.Contains(text, "client secret") {
			t.Errorf("nobody reads why: %.600s", text)
		}
	})
}
