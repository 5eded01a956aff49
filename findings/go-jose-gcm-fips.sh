#!/usr/bin/env bash
# go-jose encrypts nothing with AES-GCM where Go's strict FIPS 140-3 mode is on
# (GODEBUG=fips140=only): it chooses the nonces itself, which that mode forbids, and
# Encrypt returns an error. The same content with the same key is encrypted in that mode
# by the standard library's cipher.NewGCMWithRandomNonce, and by go-jose with
# A256CBC-HS512. Whoever makes JWEs has to choose before somebody turns the mode on.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cat >"$work/main.go" <<'GO'
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

func main() {
	try(jose.A256GCM, 32)
	try(jose.A256CBC_HS512, 64)
	block, err := aes.NewCipher(random(32))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	fmt.Println("crypto/cipher", len(aead.Seal(nil, nil, []byte("content"), nil)) > 0)
}

func try(enc jose.ContentEncryption, size int) {
	encrypter, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.DIRECT, Key: random(size)}, nil)
	if err != nil {
		panic(err)
	}
	_, err = encrypter.Encrypt([]byte("content"))
	fmt.Println(enc, err == nil)
}

func random(size int) []byte {
	key := make([]byte, size)
	rand.Read(key)
	return key
}
GO
cd "$work"
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw GOTOOLCHAIN=go1.26.8
go mod init finding >/dev/null 2>&1
go get github.com/go-jose/go-jose/v4@v4.1.9 >/dev/null 2>&1
expect() {
	got=$(GODEBUG=fips140=$1 go run main.go)
	printf 'fips140=%s\n%s\n' "$1" "$got"
	[ "$got" = "$2" ] || { echo "changed: want" >&2; echo "$2" >&2; exit 1; }
}
expect on "A256GCM true
A256CBC-HS512 true
crypto/cipher true"
expect only "A256GCM false
A256CBC-HS512 true
crypto/cipher true"
