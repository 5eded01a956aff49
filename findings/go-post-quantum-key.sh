#!/usr/bin/env bash
# A reader of a key set should ignore keys whose type it does not understand (RFC 7517,
# section 5). Of four Go libraries that read a set with an RSA key and an ML-DSA key (RFC
# 9964) three refuse the whole set, and with it all tokens signed with the RSA key: go-jose
# by itself, keyfunc, and jwx, which has an option against it. go-oidc, built on go-jose,
# reads around the new key. An issuer that publishes a post-quantum key beside its old one,
# as one does before using it, locks such verifiers out. Needs go.
set -euo pipefail
command -v go >/dev/null || { echo "go is needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cat >"$work/main.go" <<'GO'
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

func main() {
	private := must(rsa.GenerateKey(rand.Reader, 2048))
	old := jose.JSONWebKey{Key: private.Public(), KeyID: "old", Algorithm: "RS256", Use: "sig"}
	public := make([]byte, 1952) // any such bytes are an ML-DSA-65 key (FIPS 204, algorithm 23)
	rand.Read(public)
	next := map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "kid": "next", "pub": base64.RawURLEncoding.EncodeToString(public)}
	token := must(jws.Sign([]byte(`{"sub":"alice"}`), jws.WithKey(jwa.RS256(), private)))
	read("RSA", token, old)
	read("RSA and ML-DSA", token, old, next)
}

func read(name string, token []byte, keys ...any) {
	set := must(json.Marshal(map[string]any{"keys": keys}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }))
	defer server.Close()
	say := func(library string, err error) { fmt.Print(" ", library, " ", err == nil, ";") }
	fmt.Print(name, ":")
	say("go-jose", json.Unmarshal(set, new(jose.JSONWebKeySet)))
	_, err := jwk.Parse(set)
	say("jwx", err)
	_, err = jwk.Parse(set, jwk.WithIgnoreParseError(true))
	say("jwx with WithIgnoreParseError", err)
	_, err = keyfunc.NewJWKSetJSON(set)
	say("keyfunc", err)
	_, err = oidc.NewRemoteKeySet(context.Background(), server.URL).VerifySignature(context.Background(), string(token))
	say("go-oidc", err)
	fmt.Println()
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
GO
cd "$work"
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw GOTOOLCHAIN=go1.26.8
go mod init finding >/dev/null 2>&1
go get github.com/go-jose/go-jose/v4@v4.1.9 github.com/lestrrat-go/jwx/v3@v3.4.0 github.com/MicahParks/keyfunc/v3@v3.9.2 \
    github.com/coreos/go-oidc/v3@v3.21.0 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go list -m all | grep -E '/(go-jose/v4|jwx/v3|keyfunc/v3|go-oidc/v3) '
got=$(go run main.go)
echo "$got"
want="RSA: go-jose true; jwx true; jwx with WithIgnoreParseError true; keyfunc true; go-oidc true;
RSA and ML-DSA: go-jose false; jwx false; jwx with WithIgnoreParseError true; keyfunc false; go-oidc true;"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
