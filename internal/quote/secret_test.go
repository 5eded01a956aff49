package quote_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/quote"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"without", "https://id.example.com/a?b=c@d", `"https://id.example.com/a?…"`},
		{"a user", "https://user@id.example.com", `"https://…@id.example.com"`},
		{"a password", "https://user:hunter2@id.example.com:8443/a", `"https://…@id.example.com:8443/a"`},
		{"one that is not well formed", "https://user:hun ter%2@@id.example.com#x", `"https://…@id.example.com#…"`},
		{"a query that has an address", "https://id.example.com?u=https://x:hunter2@y", `"https://id.example.com?…"`},
		{"a query of one character", "https://id.example.com/?x", `"https://id.example.com/?…"`},
		{"a query that is empty", "https://id.example.com/?", `"https://id.example.com/?"`},
		{"a question mark in no address", "what?hunter", `"what?hunter"`},
		{"a password with a slash", "https://user:hun/ter2@id.example.com/a", `"https://…@id.example.com/a"`},
		{"a password with a question mark", "https://user:hun?ter2@id.example.com", `"https://…@id.example.com"`},
		{"a password that begins as a port and its end would, which nobody can tell", "https://user:1#hunter2@id.example.com:8443", `"https://user:1#…"`},
		{"a password that begins with one", "nats://user:#hun@ter2@nats:4222", `"nats://…@nats:4222"`},
		{"a password, and no @", "https://user:hun/ter2", `"https://user:hun/ter2"`},
		{"a port, and an @ in the path", "https://id.example.com:8443/@a", `"https://id.example.com:8443/@a"`},
		{"an address of IPv6", "https://[::1]/@a", `"https://[::1]/@a"`},
		{"an address of IPv6 with a port", "https://[::1]:8443?b=c@d", `"https://[::1]:8443?…"`},
		{"no address", "user@id.example.com", `"user@id.example.com"`},
		{"another scheme", "nats://hunter2@nats", `"nats://…@nats"`},
		{"an @ in the path", "https://id.example.com/@a", `"https://id.example.com/@a"`},
		{"nothing", "", `""`},
		{"a query alone", "?u=https://hunter2", `"?…"`},
		{"no host", "file:///a@b", `"file:///a@b"`},
		{"an empty user", "https://@id.example.com", `"https://…@id.example.com"`},
		{"an empty user, and an @ in the path", "https://@id.example.com:x/a@b", `"https://…@id.example.com:x/a@b"`},
	} {
		if got := quote.Address(tt.in); got != tt.want {
			t.Errorf("%s: Address() = %s, want %s", tt.name, got, tt.want)
		}
		if got, want := quote.HasUser(tt.in), strings.Contains(tt.want, "…@"); got != want {
			t.Errorf("%s: HasUser() = %t, want %t", tt.name, got, want)
		}
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]bool{
		"hunter2": false, "hunter2/with/slashes": false, "hun.ter2": false, "~/hunter2": false,
		"./hunter2": true, "../hunter2": true, filepath.Join(t.TempDir(), "hunter2"): true,
	} {
		_, read := os.ReadFile(name)
		err := quote.SecretFile(name, read)
		if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "hunter2") != shown || strings.Contains(err.Error(), "hun.") {
			t.Errorf("SecretFile(%q) = %v, want it shown: %t", name, err, shown)
		}
	}
	other := errors.New("x")
	if quote.SecretFile("hunter2", nil) != nil || quote.SecretFile("hunter2", other) != other {
		t.Error("SecretFile() of no error, or of another, is not that")
	}
}
