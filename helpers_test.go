package oidcauth_test

import (
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
	stepOf           = authtest.StepOf

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
