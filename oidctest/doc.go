// Package oidctest is a fake OpenID issuer for tests of programs that accept
// tokens, and a laboratory for what goes wrong between such a program and its
// issuer.
//
// The shortest useful test gives the program the issuer's URL and its client,
// and shows it a token:
//
//	func TestLogin(t *testing.T) {
//		iss := oidctest.NewIssuer(t, oidctest.Config{})
//		auth, err := oidcauth.New(oidcauth.Config{
//			Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}},
//			Client:  iss.Client(),
//		})
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer auth.Close()
//		token := iss.Token(map[string]any{"sub": "alice", "aud": "my-db"})
//		if _, err := auth.Authenticate(t.Context(), token); err != nil {
//			t.Errorf("Authenticate() error = %v", err)
//		}
//	}
//
// The package knows nothing of the program under test: any client that takes
// an [*http.Client] will do. [Issuer.Start] and [Issuer.StartTLS] serve the
// issuer on a socket for those that do not.
//
// [Issuer.OpaqueToken] makes tokens that say nothing themselves, about which the issuer
// answers at an introspection endpoint (RFC 7662).
//
// # Memory and time
//
// Everything happens in memory. The client of [Issuer.Client] speaks HTTP with
// the issuer as it would over a network, but opens no socket, and inside a
// testing/synctest bubble all waits, in an answer that drips as well as in one
// that never comes, take the bubble's time and no other. Create the issuer
// inside the bubble, or outside and use it in several.
//
// The hour that a token lives then takes no time:
//
//	synctest.Test(t, func(t *testing.T) {
//		iss := oidctest.NewIssuer(t, oidctest.Config{})
//		…
//		defer auth.Close() // a bubble waits for all that was started in it
//		session := auth.NewSession(t.Context(), claims)
//		time.Sleep(oidctest.TokenLifetime)
//		synctest.Wait()
//		if err := context.Cause(session.Context()); !errors.Is(err, oidcauth.ErrExpired) {
//			…
//
// (with oidcauth.Config.Leeway negative; else sleep that much longer).
//
// Tokens take their times from [Config].Now, which is [time.Now] by default;
// caching headers always from [time.Now].
//
// # Keys and tokens
//
// [Issuer.Token] signs claims, and fills in those that every token has.
// [Issuer.Sign] signs exactly what it is given. [Issuer.Rotate],
// [Issuer.Replace] and [Issuer.ReuseKeyID] change keys with care, without care
// and against the rules; [Issuer.NewKey] makes keys of every kind, those of
// strangers included. Methods whose names begin with Attack, and
// [Key.Forgeries], make tokens that must be refused.
//
// # Faults
//
// [Issuer.Fail] and [Issuer.FailNext] make an endpoint misbehave as a [Fault]
// says, [Issuer.Clear] ends it. An outage that heals after three requests:
//
//	iss.FailNext(3, oidctest.JWKS, oidctest.Fault{Status: 503})
//
// What stands in the documents is changed by [Issuer.SetDiscovery] and
// [Issuer.AddJWK]; [BrokenJWKs] and [BrokenDocuments] have what is found in
// the wild. [Issuer.SetCaching] sets caching headers and answers conditional
// requests; [Issuer.Fetches] and [Issuer.History] show what the client asked
// for, and when.
package oidctest
