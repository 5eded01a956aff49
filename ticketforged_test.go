package oidcauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// Tickets that the local issuer did not make.
func TestTicket_Forged(t *testing.T) {
	key := newKey(t)
	local := newLocal(t, oidcauth.LocalIssuerConfig{Signer: key})
	auth := trusting(t, local)
	claims, err := auth.Authenticate(t.Context(), issue(t, local, oidcauth.TokenRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	real, err := local.Ticket(t.Context(), claims, anywhere)
	if err != nil {
		t.Fatal(err)
	}
	good := decodePart(t, strings.Split(real, ".")[1])
	text := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s does not contain %s", good, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	exp := good[strings.Index(good, `"exp":`):strings.Index(good, `,"jti"`)]
	for _, tt := range []struct {
		name, payload string
		key           bool
		want          error
	}{
		{"signed by the right key", good, true, nil},
		{"signed by another key", good, false, oidcauth.ErrSignature},
		{"used already, under another signature", good, true, oidcauth.ErrTicketUsed},
		{"no expiry", text(exp+",", ""), true, oidcauth.ErrExpired},
		{"a far expiry", text(exp, `"exp":4102444800`), true, oidcauth.ErrClaim},
		{"no ID", text(`"jti"`, `"jtx"`), true, oidcauth.ErrMalformedToken},
		{"no original", text(`"original_token"`, `"x"`), true, oidcauth.ErrMalformedToken},
		{"an original that is text", text(`"original_token":{`, `"original_token":"","x":{`), true, oidcauth.ErrMalformedToken},
		{"no original claims", text(`"claims"`, `"x"`), true, oidcauth.ErrMalformedToken},
		{"another audience", text(`["my-db"]`, `["x"]`), true, oidcauth.ErrAudience},
		{"another original key", text(`"key":"`, `"key":"x`), true, oidcauth.ErrUnknownKey},
		{"another original algorithm", text(`"alg":"ES256"`, `"alg":"none"`), true, oidcauth.ErrAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer := key
			if !tt.key {
				signer = newKey(t)
			}
			if _, err := auth.AuthenticateTicket(t.Context(), signAs(t, signer, "ticket+jwt", tt.payload), anywhere); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
}
