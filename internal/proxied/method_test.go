package proxied_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
)

func TestCheckMethod(t *testing.T) {
	t.Parallel()
	for method, good := range map[string]bool{
		"GET": true, "M-SEARCH": true, "VERSION_2": true, "post": false, "Post": false, "POSt": false,
	} {
		if err := proxied.CheckMethod(method); (err == nil) != good {
			t.Errorf("CheckMethod(%q) = %v, want good %t", method, err, good)
		}
	}
}
