package interop_test

import (
	"os"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// TestPrograms says what is left out on this machine, all in one place, and how to
// get it:
//
//	go test -v -run TestPrograms ./interop
func TestPrograms(t *testing.T) {
	var missing []string
	for _, p := range programs.All() {
		if err := p.Missing(); err != nil {
			missing = append(missing, err.Error())
		}
	}
	switch text := strings.Join(missing, "\n"); {
	case text == "":
	case os.Getenv("CI") != "":
		t.Fatal("missing where CI is set:\n" + text)
	default:
		t.Skip("not everything was tested:\n" + text)
	}
}
