package main

import (
	"slices"
	"strings"
	"testing"
)

// floors are the packages of the module from the lowest up: each may import
// those on the floors below its own, and no other package of the module.
var floors = [][]string{
	{"internal/quote", "internal/mutation/switches", "internal/sigcheck", "internal/dirlock", "internal/hidden", "internal/said", "internal/ports", "internal/clocks", "internal/clockstest"},
	{"identity", "authtrace", "oauthbearer", "internal/refusal", "internal/origin", "internal/asked", "internal/call", "internal/forwarded", "internal/proxied", "internal/disk", "internal/jws", "internal/fetch", "internal/alarm", "internal/tokencache", "internal/dnstest", "internal/memorylog", "internal/house", "internal/mutation", "internal/leaks", "internal/byvalue", "internal/panics", "internal/roster", "possession"},
	{"internal/disktest", "internal/keyset", "internal/keyring", "internal/claims", "internal/extract", "explain", "internal/revoked", "internal/ticket", "internal/watch", "internal/reply", "dpop", "mtls"},
	{"internal/policy", "internal/strangers", "internal/bound"},
	{"internal/verify", "internal/supplement"},
	{"."},
	{"issuers", "userinfo", "introspect", "guard", "oidctest", "localissuer", "revocationtest"},
	{"spacetime", "internal/authtest"},
	{"internal/hostile", "internal/simulation"},
}

// forTests are packages that nothing but tests imports.
var forTests = []string{"oidctest", "internal/disktest", "revocationtest", "internal/dnstest", "internal/memorylog", "internal/authtest", "internal/hostile", "internal/said", "internal/leaks", "internal/ports", "internal/clockstest"}

// barred are what a package must not import from outside although the module
// does: what is below the public face knows nothing of HTTP handlers' clients.
var barred = map[string][]string{
	"identity":            {"net/http"},
	"oauthbearer":         {"net/http"},
	"internal/sigcheck":   {"net/http"},
	"internal/jws":        {"net/http"},
	"internal/alarm":      {"net/http"},
	"internal/tokencache": {"net/http"},
	"internal/keyring":    {"net/http"},
	"internal/revoked":    {"net/http"},
}

func TestRooms(t *testing.T) {
	floor := map[string]int{}
	for n, packages := range floors {
		for _, p := range packages {
			floor[p] = n + 1
		}
	}
	all, err := imports("../../...")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < len(floor) {
		t.Errorf("%d packages found, %d have a floor", len(all), len(floor))
	}
	for path, imported := range all {
		from := short(path)
		if floor[from] == 0 {
			t.Errorf("%s has no floor: add it to floors, on the lowest that fits", from)
		}
		for _, p := range imported {
			if slices.Contains(barred[from], p) {
				t.Errorf("%s imports %s, which it must not know", from, p)
			}
			if p != modulePath && !strings.HasPrefix(p, modulePath+"/") {
				continue
			}
			if slices.Contains(forTests, short(p)) && !slices.Contains(forTests, from) {
				t.Errorf("%s imports %s, which is for tests alone", from, short(p))
			}
			if to := short(p); floor[to] >= floor[from] {
				t.Errorf("%s (floor %d) imports %s (floor %d)", from, floor[from], to, floor[to])
			}
		}
	}
}

// imports returns what each of the packages that match a pattern imports.
func imports(pattern string) (map[string][]string, error) {
	all, err := goList("-json=ImportPath,Imports", pattern)
	imported := map[string][]string{}
	for _, p := range all {
		imported[p.ImportPath] = p.Imports
	}
	return imported, err
}
