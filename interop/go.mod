module github.com/oidcauth/oidcauth/interop

go 1.26.4

replace github.com/oidcauth/oidcauth => ../

require (
	github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
	github.com/coder/websocket v1.8.15
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/oidcauth/oidcauth v0.0.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	lukechampine.com/blake3 v1.4.1 // indirect
)

require (
	filippo.io/bigmod v0.1.0 // indirect
	filippo.io/edwards25519 v1.2.0 // indirect
	golang.org/x/sys v0.11.0 // indirect
)
