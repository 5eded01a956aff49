package oidcauth_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
)

// What the tests of all packages share, under the names that this one's use.
const testAudience = authtest.Audience

var (
	newIssuer        = authtest.NewIssuer
	newAuthenticator = authtest.NewAuthenticator
	wants            = authtest.Wants
	authenticate     = authtest.Authenticate
	revoke           = authtest.Revoke
	expectEnd        = authtest.ExpectEnd
	newRequest       = authtest.NewRequest
	sentinels        = authtest.Sentinels
	checkSole        = authtest.CheckSole
	stepOf           = authtest.FailedStep

	newLocal   = authtest.NewLocal
	trusting   = authtest.Trusting
	issue      = authtest.Issue
	newKey     = authtest.NewKey
	newCounter = authtest.NewCounter
	at         = authtest.At
	anywhere   = authtest.Anywhere
	from       = authtest.From

	newMemoryLog = memorylog.New[oidcauth.Revocation]
	errLogDown   = memorylog.ErrDown
)

type (
	logBuffer = authtest.Log
	transport = authtest.Transport
	counter   = authtest.Counter
	place     = authtest.Place
	memoryLog = memorylog.Log[oidcauth.Revocation]
)

// seedsOf returns which seeds a simulation runs: few from 1 on, unless the
// environment says OIDCAUTH_NAME_SEEDS for more, and OIDCAUTH_NAME_SEED for the
// first one, which alone means that one alone.
func seedsOf(name string, few uint64) (first, number uint64) {
	first, number = 1, few
	if n, err := strconv.ParseUint(os.Getenv("OIDCAUTH_"+name+"_SEED"), 10, 64); err == nil {
		first, number = n, 1
	}
	if n, err := strconv.ParseUint(os.Getenv("OIDCAUTH_"+name+"_SEEDS"), 10, 64); err == nil {
		number = n
	}
	return first, number
}

// bubbleGoroutines counts the goroutines of the bubble that it is called in: those of
// other tests come and go.
func bubbleGoroutines(t *testing.T) (n int) {
	t.Helper()
	stacks := make([]byte, 16<<20)
	own, _, _ := strings.Cut(string(stacks[:runtime.Stack(stacks, false)]), "\n")
	_, bubble, found := strings.Cut(own, ", synctest bubble ")
	if !found {
		t.Fatalf("not in a bubble: %s", own)
	}
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if head, _, _ := strings.Cut(stack, "\n"); strings.HasSuffix(head, ", synctest bubble "+bubble) {
			n++
		}
	}
	return n
}
