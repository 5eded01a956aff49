package main

import (
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	// The vector is SpacetimeDB's own.
	const want = "c200483152d642c7d402de06cacc36dcb0c2a1f2bbeb8e7d5a673f2435cca975\n"
	got := invoke(t, "", "identity", "localhost", "6d4b5430-00cf-4a99-932c-ad2d07bab841")
	if got.code != 0 || got.out != want || got.err != "" {
		t.Errorf("got %+v, want %q", got, want)
	}
	slash := invoke(t, "", "identity", "localhost/", "6d4b5430-00cf-4a99-932c-ad2d07bab841")
	if slash.out == want {
		t.Error("a slash at the end of the issuer makes no difference")
	}
}

func TestIdentity_Operands(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2049)
	for _, test := range []struct {
		name     string
		operands []string
		want     int
	}{
		{"longest names", []string{long[:512], long[:2048]}, 0},
		{"subject with a bar", []string{"https://a.example", "auth0|1"}, 0},
		{"subject with a dash, after two dashes", []string{"--", "https://a.example", "-1"}, 0},
		{"none", nil, 2},
		{"one", []string{"https://a.example"}, 2},
		{"three", []string{"https://a.example", "a", "b"}, 2},
		{"empty issuer", []string{"", "a"}, 2},
		{"empty subject", []string{"https://a.example", ""}, 2},
		{"issuer with a bar", []string{"a|b", "c"}, 2},
		{"issuer too long", []string{long[:513], "a"}, 2},
		{"subject too long", []string{"https://a.example", long}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(t, "", append([]string{"identity"}, test.operands...)...)
			if got.code != test.want {
				t.Errorf("exit code = %d, want %d; %s", got.code, test.want, got.err)
			}
			if (got.out != "") != (test.want == 0) {
				t.Errorf("printed %q with exit code %d", got.out, got.code)
			}
		})
	}
}
