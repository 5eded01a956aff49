package localissuer_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// secretOf returns what the tickets that a key of a local issuer signs are sealed
// with: that of the key that signs at present if keyID is empty.
func secretOf(t testing.TB, l *localissuer.Issuer, keyID string) []byte {
	t.Helper()
	if keyID == "" {
		keys := l.Keys()
		keyID = keys[slices.IndexFunc(keys, func(k localissuer.Key) bool { return k.State == "active" })].ID
	}
	secret, signs := ticketsOf(t, l).Secret(keyID)
	if !signs {
		t.Fatalf("key %q signs no tickets", keyID)
	}
	return secret
}

// sealTicket seals what a ticket says of its original as the issuer does.
func sealTicket(t testing.TB, l *localissuer.Issuer, keyID, ticketID, content string) string {
	t.Helper()
	sealed, err := ticket.Encrypt(secretOf(t, l, keyID), ticketID, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// signTicket signs a ticket's payload, whatever it says, under a key ID.
func signTicket(t testing.TB, key *ecdsa.PrivateKey, keyID, payload string) string {
	t.Helper()
	options := new(jose.SignerOptions).WithType("ticket+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, options)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// A forgery is a real ticket taken apart.
type forgery struct {
	t       testing.TB
	local   *localissuer.Issuer
	payload string
	content string // of what is sealed
	members struct {
		ID       string `json:"jti"`
		Original string `json:"original_token"`
	}
}

func newForgery(t testing.TB, local *localissuer.Issuer, sold string) *forgery {
	t.Helper()
	f := &forgery{t: t, local: local, payload: hostile.Decode(t, strings.Split(sold, ".")[1])}
	if err := json.Unmarshal([]byte(f.payload), &f.members); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.content, err = ticket.Decrypt(secretOf(t, local, ""), f.members.ID, f.members.Original); err != nil {
		t.Fatal(err)
	}
	return f
}

// with replaces a text of the payload.
func (f *forgery) with(old, new string) string {
	f.t.Helper()
	if !strings.Contains(f.payload, old) {
		f.t.Fatalf("%s does not contain %s", f.payload, old)
	}
	return strings.Replace(f.payload, old, new, 1)
}

// sealing replaces a text of what is sealed, and seals it again.
func (f *forgery) sealing(old, new string) string {
	f.t.Helper()
	if !strings.Contains(f.content, old) {
		f.t.Fatalf("%s does not contain %s", f.content, old)
	}
	return f.with(f.members.Original, sealTicket(f.t, f.local, "", f.members.ID, strings.Replace(f.content, old, new, 1)))
}

// Tickets that the local issuer did not make.
func TestTicket_Forged(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	local := newLocal(t, localissuer.Config{Signer: key})
	auth := trusting(t, local)
	claims, err := auth.Authenticate(t.Context(), issue(t, local, localissuer.Request{}))
	if err != nil {
		t.Fatal(err)
	}
	buy := func() string {
		ticket, err := local.Ticket(from(), claims, localissuer.AnyDatabase)
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	f, other := newForgery(t, local, buy()), newForgery(t, local, buy())
	exp := f.payload[strings.Index(f.payload, `"exp":`):strings.Index(f.payload, `,"jti"`)]
	keyID := local.Keys()[0].ID
	for _, tt := range []struct {
		name, payload string
		key           bool
		want          error
	}{
		{"signed by the right key", f.payload, true, nil},
		{"signed by another key", other.payload, false, oidcauth.ErrSignature},
		{"used already, under another signature", f.payload, true, oidcauth.ErrTicketUsed},
		{"no expiry", f.with(exp+",", ""), true, oidcauth.ErrExpired},
		{"a far expiry", f.with(exp, `"exp":4102444800`), true, oidcauth.ErrClaim},
		{"no ID", f.with(`"jti"`, `"jtx"`), true, oidcauth.ErrMalformedToken},
		{"no origin, not even none", f.with(`"origin"`, `"orig"`), true, oidcauth.ErrMalformedToken},
		{"an origin that is null", f.with(`"origin":""`, `"origin":null`), true, oidcauth.ErrMalformedToken},
		{"no database", f.with(`"database"`, `"db"`), true, oidcauth.ErrMalformedToken},
		{"an empty database", f.with(`"database":"*"`, `"database":""`), true, oidcauth.ErrMalformedToken},
		{"no original", f.with(`"original_token"`, `"x"`), true, oidcauth.ErrMalformedToken},
		{"an original that is an object", f.with(`"original_token":"`, `"original_token":{},"x":"`), true, oidcauth.ErrMalformedToken},
		{"an original in plain text", f.with(f.members.Original, "eyJhbGciOiJub25lIn0."), true, oidcauth.ErrMalformedToken},
		{"another ticket's original", f.with(f.members.Original, other.members.Original), true, oidcauth.ErrUnknownKey},
		{"an original of a byte less", f.with(f.members.Original, f.members.Original[:len(f.members.Original)-2]), true, oidcauth.ErrMalformedToken},
		{"an original that is no object", f.sealing(f.content, `[1]`), true, oidcauth.ErrMalformedToken},
		{"no original claims", f.sealing(`"claims"`, `"x"`), true, oidcauth.ErrMalformedToken},
		{"another audience", f.with(`["my-db"]`, `["x"]`), true, oidcauth.ErrAudience},
		{"another original key", f.sealing(`"key":"`, `"key":"x`), true, oidcauth.ErrUnknownKey},
		{"another original algorithm", f.sealing(`"alg":"ES256"`, `"alg":"none"`), true, oidcauth.ErrAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer := key
			if !tt.key {
				signer = newKey(t)
			}
			if _, err := auth.AuthenticateTicket(from(), signTicket(t, signer, keyID, tt.payload), localissuer.AnyDatabase); !errors.Is(err, tt.want) {
				t.Errorf("AuthenticateTicket() error = %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("without a key ID", func(t *testing.T) {
		if _, err := auth.AuthenticateTicket(from(), signTicket(t, key, "", other.payload), localissuer.AnyDatabase); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, oidcauth.ErrUnknownKey)
		}
		if _, err := auth.AuthenticateTicket(from(), signTicket(t, key, keyID, other.payload), localissuer.AnyDatabase); err != nil {
			t.Errorf("AuthenticateTicket() with one: error = %v", err)
		}
	})
}

// A ticket that says of no proof is none of a bound token, as one might be that another
// version of this server has sold.
func TestTicket_ForgedWithoutProof(t *testing.T) {
	t.Parallel()
	const page, called = "https://app.example.com", "https://db.example.com/v1/call"
	key := newKey(t)
	local := newLocal(t, localissuer.Config{Signer: key})
	issuer, client := oidctest.NewIssuer(t, oidctest.Config{}), oidctest.NewProver(t, "")
	proofs, err := dpop.New(dpop.Config{PublicURL: "https://db.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	auth := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}, local.Issuer()},
		Client:  issuer.Client(), DPoP: proofs,
	})
	token := issuer.Token(map[string]any{"aud": testAudience, "cnf": map[string]any{"jkt": client.Thumbprint()}})
	proof := possession.Proof{DPoP: client.Proof("POST", called, token, nil), Method: "POST", URL: called}
	claims, err := auth.Authenticate(possession.NewContext(t.Context(), proof), token)
	if err != nil {
		t.Fatal(err)
	}
	sold, err := local.Ticket(from(page), claims, localissuer.AnyDatabase)
	if err != nil {
		t.Fatal(err)
	}
	f := newForgery(t, local, sold)
	keyID := local.Keys()[0].ID
	for payload, want := range map[string]error{f.sealing(`"proved":true`, `"proved":false`): oidcauth.ErrProof, f.payload: nil} {
		if _, err := auth.AuthenticateTicket(from(page), signTicket(t, key, keyID, payload), localissuer.AnyDatabase); !errors.Is(err, want) {
			t.Errorf("AuthenticateTicket() error = %v, want %v", err, want)
		}
	}
}
