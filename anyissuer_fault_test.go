package oidcauth_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whatever is wrong with an issuer that never worked, the answer is the same to
// the byte. What is wrong is in the log, once.
func TestAnyIssuer_UniformAnswers(t *testing.T) {
	faults := map[string]func(*oidctest.Issuer){
		"connection refused":   func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true}) },
		"connection reset":     func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Reset: true}) },
		"no answer":            func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Hang: true}) },
		"no end of the answer": func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Stall: true}) },
		"not found":            func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Status: 404}) },
		"server error":         func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Status: 500}) },
		"a time to retry after": func(i *oidctest.Issuer) {
			i.Fail(oidctest.JWKS, oidctest.Fault{Status: 503, Header: http.Header{"Retry-After": {"77"}}})
		},
		"a web page":         func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.HTMLPage(200)) },
		"too large":          func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Pad: 70_000}) },
		"redirect to a host": func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Redirect: "https://10.0.0.1/"}) },
		"another issuer":     func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"issuer": "https://b.test"}) },
		"keys over http": func(i *oidctest.Issuer) {
			i.SetDiscovery(map[string]any{"jwks_uri": "http://stranger-0.test/jwks.json"})
		},
		"keys on loopback": func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": "https://127.0.0.1/jwks"}) },
		"no keys":          func(i *oidctest.Issuer) { i.RemoveKeys() },
		"no key set":       func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Body: []byte(`"secret"`)}) },
	}
	answers, texts := map[string][]string{}, map[string][]string{}
	for name, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			issuers, client := strangers(t, 1)
			var log logBuffer
			cfg := open(client, oidcauth.AnyIssuer{})
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			a := newAuthenticator(t, cfg)
			fault(issuers[0])
			for range 3 { // contacted once, then left alone
				token := issuers[0].Token(nil)
				_, err := a.Authenticate(t.Context(), token)
				if !errors.Is(err, oidcauth.ErrUnknownIssuer) {
					t.Errorf("%s: Authenticate() error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
				}
				answer := dump(a, err)
				answers[answer] = append(answers[answer], name)
				texts[err.Error()] = append(texts[err.Error()], name)
			}
			if f := issuers[0].Fetches(); f.Discovery != 1 || f.JWKS > 1 {
				t.Errorf("%s: three tokens cost %+v", name, f)
			}
			reasons := strings.Count(log.String(), "does not answer")
			if reasons != 1 || strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "no usable answer") {
				t.Errorf("%s: log has %d reasons, want one that says what it is:\n%s", name, reasons, &log)
			}
		})
	}
	for _, all := range []map[string][]string{answers, texts} {
		if len(all) != 1 {
			t.Errorf("answers differ: %v", all)
		}
	}
}

// dump returns what a caller sees over HTTP.
func dump(a *oidcauth.Authenticator, err error) string {
	var w recorder
	r, _ := http.NewRequest("GET", "/", nil)
	a.Refuse(&w, r, err)
	return fmt.Sprintf("%d %v %s", w.status, w.header, &w.body)
}

// recorder is an http.ResponseWriter that adds nothing of its own.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// An issuer that has worked is not unknown when it fails, and an outage within
// the keys' lives costs nothing.
func TestAnyIssuer_OutageOfAKnownIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		var log logBuffer
		cfg := open(client, oidcauth.AnyIssuer{})
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := newAuthenticator(t, cfg)
		lives := map[string]any{"exp": time.Now().Add(72 * time.Hour).Unix()}
		wants(t, a, i.Token(lives), nil)
		i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		for range 23 {
			time.Sleep(time.Hour)
			wants(t, a, i.Token(lives), nil)
		}
		i.Fail(oidctest.JWKS, oidctest.Fault{Status: 500, Header: http.Header{"X": {"10.0.0.1"}}})
		time.Sleep(2 * time.Hour)
		_, err := a.Authenticate(t.Context(), i.Token(lives))
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !ok || refusal.RetryAfter() <= 0 || strings.Contains(err.Error(), "500") {
			t.Errorf("Authenticate() error = %v, want %v, no reason, and a time to retry after", err, oidcauth.ErrKeysUnavailable)
		}
		if n := strings.Count(log.String(), "changed state"); n != 2 || !strings.Contains(log.String(), "status 500") {
			t.Errorf("%d log lines, want two, with the reason:\n%s", n, &log)
		}
		i.Clear()
		time.Sleep(refusal.RetryAfter())
		wants(t, a, i.Token(lives), nil)
	})
}

// A failed issuer is left alone, longer each time, and welcome once it works.
func TestAnyIssuer_FailedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 1)
		i := issuers[0]
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		i.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		var contacts []time.Duration
		start := time.Now()
		for range 3600 {
			before := i.Fetches().Discovery
			wants(t, a, i.Token(nil), oidcauth.ErrUnknownIssuer)
			if i.Fetches().Discovery > before {
				contacts = append(contacts, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		if len(contacts) < 6 || len(contacts) > 12 || contacts[1] != 15*time.Second || contacts[2] != 45*time.Second {
			t.Errorf("contacted at %v, want at 0, 15 s, 45 s and at growing distances", contacts)
		}
		i.Clear()
		time.Sleep(10 * time.Minute)
		wants(t, a, i.Token(nil), nil)
	})
}

// First contacts are bounded at once and over time; what is beyond waits two
// seconds at most, and is told when to come back. Known issuers notice nothing.
func TestAnyIssuer_Flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, client := strangers(t, 1)
		var under, most, total atomic.Int32
		inner := client.Transport
		client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Host, "stranger") {
				return inner.RoundTrip(r)
			}
			total.Add(1)
			most.Store(max(most.Load(), under.Add(1)))
			defer under.Add(-1)
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
			return nil, errors.New("nobody there")
		})
		var log logBuffer
		cfg := open(client, oidcauth.AnyIssuer{MaxFirstContacts: 5, FirstContactsPerSecond: 2})
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		a := newAuthenticator(t, cfg)
		good := known[0].Token(nil)
		wants(t, a, good, nil)

		start := time.Now()
		var wg sync.WaitGroup
		var waiting, mostWaiting, refused, contacted atomic.Int32
		for n := range 2000 {
			wg.Go(func() {
				began := time.Now()
				mostWaiting.Store(max(mostWaiting.Load(), waiting.Add(1)))
				defer waiting.Add(-1)
				_, err := a.Authenticate(t.Context(), madeUp(fmt.Sprintf("https://made-up-%d.test", n)))
				refusal, _ := errors.AsType[*oidcauth.Refusal](err)
				switch took := time.Since(began); {
				case errors.Is(err, oidcauth.ErrKeysUnavailable) && refusal.RetryAfter() >= time.Second && took <= 2*time.Second+3*time.Second:
					refused.Add(1)
				case errors.Is(err, oidcauth.ErrUnknownIssuer):
					contacted.Add(1)
				default:
					t.Errorf("Authenticate() error = %v after %v", err, took)
				}
			})
			time.Sleep(10 * time.Millisecond)
			wants(t, a, known[0].Token(map[string]any{"jti": strconv.Itoa(n)}), nil)
		}
		wg.Wait()
		if most.Load() > 5 || most.Load() < 2 {
			t.Errorf("%d contacts at once, want up to 5", most.Load())
		}
		if most := mostWaiting.Load(); most > 5+8+2 {
			t.Errorf("%d calls at once, want 5 contacts, and 8 that wait for one", most)
		}
		if limit := 5 + 2*int32(time.Since(start)/time.Second); total.Load() > limit || contacted.Load() > total.Load() {
			t.Errorf("%d contacts in %v, want at most %d", total.Load(), time.Since(start), limit)
		}
		if n := strings.Count(log.String(), "\n"); n > 60 {
			t.Errorf("%d log lines for 2000 tokens", n)
		}
	})
}
