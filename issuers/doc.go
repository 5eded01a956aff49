// Package issuers describes well-known OpenID Connect providers, each as a plain
// [oidcauth.Issuer]: a value that can be printed, changed by assignment and
// stored as JSON.
//
//	google := issuers.Google("123-abc.apps.googleusercontent.com")
//	google.ClaimRules = append(google.ClaimRules, oidcauth.ClaimRule{
//		Claim: oidcauth.Path{"hd"}, In: []string{"example.com"},
//	})
//	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{google}})
//
// # What a description demands
//
// A description demands what makes the provider's tokens safe to accept: its
// algorithms, its kind of token, and the claims that keep apart what the provider
// signs for other purposes. A function does not check with the provider and does
// not fail: an argument that cannot be right gives a description that
// [oidcauth.New] refuses, with an error that quotes it.
//
// # Several descriptions of one issuer
//
// Where two of these functions describe the same issuer, such as [GitLabCI] and
// [GitLabUser], both may be configured: their Names are not the same, and each refuses
// what the other accepts, so that their order does not matter. What they have in
// common has to be given to both, such as another host or [oidcauth.KeysFrom].
//
// # Sessions
//
// A live connection ends when its token does. Each function therefore says how
// long the provider's tokens live: where that is a minute, a client that keeps a
// connection has to renew its token on it every minute.
//
// # What is not confirmed
//
// The descriptions rest on the providers' documentation. What it leaves open is
// marked "unconfirmed": try it with a token of your own before relying on it.
package issuers
