package memorylog_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/revocationtest"
)

// What tests use for a log is one.
func TestLog(t *testing.T) {
	t.Parallel()
	revocationtest.Run(t, func(testing.TB) *revocationtest.Store {
		log := memorylog.New[oidcauth.Revocation]()
		return &revocationtest.Store{Open: func() oidcauth.RevocationLog { return log }}
	})
}
