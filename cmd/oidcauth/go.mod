module github.com/oidcauth/oidcauth/cmd/oidcauth

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/oidcauth/oidcauth v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	golang.org/x/oauth2 v0.36.0
)

require (
	filippo.io/bigmod v0.1.0 // indirect
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	golang.org/x/sys v0.11.0 // indirect
	golang.org/x/text v0.14.0 // indirect
	lukechampine.com/blake3 v1.4.1 // indirect
)

// A release names a version of the library above and drops this line, since
// "go install …@latest" takes no module that replaces another.
replace github.com/oidcauth/oidcauth => ../../
