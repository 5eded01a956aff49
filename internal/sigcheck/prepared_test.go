//go:build !oidcauth_stdcrypto && !boringcrypto

package sigcheck_test

import (
	"crypto/fips140"
	"fmt"
	"runtime"
	"testing"

	"github.com/oidcauth/oidcauth/internal/sigcheck"
)

// Keys are prepared unless the Go version or FIPS 140-3 mode is against it.
func TestEnabled(t *testing.T) {
	var minor int
	if _, err := fmt.Sscanf(runtime.Version(), "go1.%d", &minor); err != nil {
		t.Skipf("%s has no number", runtime.Version())
	}
	if got, want := sigcheck.Enabled(), builds(t, "prepared.go", minor, "") && !fips140.Enabled(); got != want {
		t.Errorf("Enabled() = %t, want %t", got, want)
	}
}
