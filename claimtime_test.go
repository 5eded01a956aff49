package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A handClock shows the time that it was set to.
type handClock struct{ shown atomic.Pointer[time.Time] }

func (c *handClock) set(t time.Time) { c.shown.Store(&t) }
func (c *handClock) now() time.Time  { return *c.shown.Load() }

// numericTimes are times as tokens write them, in digits and as they are.
var numericTimes = []struct {
	text      string
	sec, nsec int64
}{
	{"1700000000", 1700000000, 0},
	{"1700000000.5", 1700000000, 5e8},
	{"1700000000.000001", 1700000000, 1000},
	{"1.700000000999999e9", 1700000000, 999999000},
	{"0", 0, 0},
	{"-1.25", -2, 75e7},
	{"-2208988800", -2208988800, 0},
	{"253402300799", 253402300799, 0},
}

var leeways = []struct{ configured, effective time.Duration }{
	{-time.Hour, 0},
	{1, 0}, {999, 0}, // finer than a time is kept
	{time.Microsecond, time.Microsecond},
	{1500, time.Microsecond},
	{0, 30 * time.Second},
	{time.Second + 999, time.Second},
	{5 * time.Minute, 5 * time.Minute},
}

// A token is accepted from its not-before time minus leeway on until the instant
// of its expiry plus leeway, to the nanosecond, whatever year it is, whether it
// was seen before or not.
func TestAuthenticate_Instants(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	const beginning, end = "-100000000000", "253402300799"
	claims := `{"iss":"` + issuer.URL() + `","sub":"alice","aud":"` + testAudience + `","exp":%s,"nbf":%s,"iat":%s}`
	for _, leeway := range leeways {
		for _, cache := range []int64{0, -1} {
			clock := new(handClock)
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now, Leeway: leeway.configured, CacheBytes: cache,
			})
			for _, at := range numericTimes {
				instant := time.Unix(at.sec, at.nsec)
				for _, tt := range []struct {
					name, token   string
					limit         time.Time
					before, after error
				}{
					{"exp", fmt.Sprintf(claims, at.text, beginning, beginning), instant.Add(leeway.effective), nil, oidcauth.ErrExpired},
					{"nbf", fmt.Sprintf(claims, end+".9", at.text, beginning), instant.Add(-leeway.effective), oidcauth.ErrNotYetValid, nil},
					{"iat", fmt.Sprintf(claims, end+".9", beginning, at.text), instant.Add(-leeway.effective), oidcauth.ErrIssuedInFuture, nil},
				} {
					token := issuer.Sign(nil, tt.token)
					name := fmt.Sprintf("%s %s, leeway %v", tt.name, at.text, leeway.configured)
					for _, step := range []struct {
						at   time.Time
						want error
					}{{tt.limit.Add(-1), tt.before}, {tt.limit, tt.after}, {tt.limit.Add(1), tt.after}} {
						clock.set(step.at)
						if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, step.want) {
							t.Errorf("%s, at the limit%+d ns: error = %v, want %v", name, step.at.Sub(tt.limit), err, step.want)
						}
					}
				}
			}
		}
	}
}

// Nothing is young again because a clock is beyond all reason.
func TestAuthenticate_AbsurdClock(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	clock := new(handClock)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now})
	token := issuer.Token(map[string]any{"exp": 1700000000, "iat": 1690000000, "nbf": 1690000000})
	good := time.Unix(1695000000, 0)
	for _, tt := range []struct {
		name string
		now  time.Time
		want error
	}{
		{"a good one", good, nil},
		{"year 100,000", time.Date(100_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrExpired},
		{"year 300,000", time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrExpired},
		{"year 584,554", time.Unix(18446744073709+1695000000-62135596800, 0), oidcauth.ErrExpired},
		{"the last second", time.Unix(math.MaxInt64-62135596800, 0), oidcauth.ErrExpired},
		{"year -300,000", time.Date(-300_000, 1, 1, 0, 0, 0, 0, time.UTC), oidcauth.ErrNotYetValid},
		{"the first second", time.Unix(math.MinInt64, 0), oidcauth.ErrNotYetValid},
	} {
		clock.set(good)
		wants(t, a, token, nil) // so that it is remembered
		clock.set(tt.now)
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A session ends at the very nanosecond at which Authenticate begins to refuse
// its token, and with its refusal.
func TestSession_EndsAtTheInstant(t *testing.T) {
	for _, leeway := range leeways {
		for _, fraction := range []string{"", ".5", ".000001", ".0000019", ".9999999"} {
			t.Run(fmt.Sprintf("%v%s", leeway.configured, fraction), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: leeway.configured})
					payload := fmt.Sprintf(`{"iss":%q,"sub":"alice","aud":%q,"exp":%d%s}`, issuer.URL(), testAudience, time.Now().Add(time.Hour).Unix(), fraction)
					token := issuer.Sign(nil, payload)
					s := a.NewSession(t.Context(), authenticate(t, a, token))
					end := s.Claims().Expiry().Add(leeway.effective)
					time.Sleep(time.Until(end) - 1)
					expectEnd(t, s, nil)
					wants(t, a, token, nil)
					time.Sleep(time.Nanosecond)
					expectEnd(t, s, oidcauth.ErrExpired)
					wants(t, a, token, oidcauth.ErrExpired)
					if err := s.CallContext().Err(); !errors.Is(err, context.Canceled) {
						t.Errorf("the call's context has error %v", err)
					}
				})
			})
		}
	}
}

// Digits that are too fine to keep are cut off: they never prolong a life.
func TestClaims_TimesAreCutOff(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1700000000.0000019": time.Unix(1700000000, 1000),
		"-0.0000001":         time.Unix(0, -1000),
		"-62135596800":       {},
		"-62135596799.5":     time.Time{}.Add(time.Second / 2),
		"-100000000000":      time.Unix(-100000000000, 0),
	} {
		c := unverified(t, strings.Replace(`{"iss":"https://issuer.test","sub":"alice","exp":1,"nbf":TIME}`, "TIME", text, 1))
		if got := c.NotBefore(); !got.Equal(want) || got.IsZero() != want.IsZero() {
			t.Errorf("NotBefore() of %s = %v, want %v", text, got, want)
		}
	}
}
