#!/usr/bin/env bash
# A decimal with more than 800 digits before its exponent is read as a smaller
# number by Go 1.26.8: 1 written as a one with 899 zeros and e-899 comes out as
# 1e-100, from strconv.ParseFloat and so from encoding/json, without an error. The
# digits beyond the 800th are dropped, and their places with them. Go 1.27.0 reads
# 1. Whoever compares a number by its text with one that was parsed can see two.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cat >"$work/main.go" <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

func main() {
	for _, digits := range []int{800, 801, 900} {
		text := "1" + strings.Repeat("0", digits-1) + "e-" + strconv.Itoa(digits-1)
		parsed, err := strconv.ParseFloat(text, 64)
		var decoded float64
		jsonErr := json.Unmarshal([]byte(text), &decoded)
		fmt.Println(digits, parsed, err, decoded, jsonErr)
	}
}
GO
cd "$work"
go mod init finding >/dev/null 2>&1
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
expect() {
	got=$(GOTOOLCHAIN=$1 go run main.go)
	printf '%s\n%s\n' "$1" "$got"
	[ "$got" = "$2" ] || { echo "changed: want" >&2; echo "$2" >&2; exit 1; }
}
expect go1.26.8 "800 1 <nil> 1 <nil>
801 0.1 <nil> 0.1 <nil>
900 1e-100 <nil> 1e-100 <nil>"
expect go1.27.0 "800 1 <nil> 1 <nil>
801 1 <nil> 1 <nil>
900 1 <nil> 1 <nil>"
