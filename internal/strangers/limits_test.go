package strangers_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// stranger returns what an issuer gets that answers with a document, or, if that is
// empty, does not answer. A client that waits for a minute for one document does not end
// a contact itself.
func stranger(t *testing.T, keys string) *strangers.Issuers {
	t.Helper()
	client, err := fetch.New(fetch.Config{
		Timeout: time.Minute, MaxBytes: 1 << 20,
		HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			body := keys
			switch {
			case keys == "":
				<-r.Context().Done()
				return nil, r.Context().Err()
			case strings.Contains(r.URL.Path, ".well-known"):
				body = `{"issuer":"https://a.test","jwks_uri":"https://a.test/keys"}`
			}
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, 0, func(c *strangers.Config) { c.Fetch = client }).Issuers
}

// rsaKey returns a JWK of 2048 bits.
func rsaKey(exponent int64) string {
	n := new(big.Int).SetBit(big.NewInt(1), 2047, 1)
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"kty":"RSA","kid":"e%d","n":%q,"e":%q}`, exponent, encode(n.Bytes()), encode(big.NewInt(exponent).Bytes()))
}

// A stranger's issuer has ten seconds, 64 KiB, 64 keys and exponents of 17 bits.
func TestContact_Limits(t *testing.T) {
	t.Parallel()
	contact := func(t *testing.T, s *strangers.Issuers) (*strangers.Issuer, error) {
		return s.Contact(t.Context(), caller(1), "https://a.test", jws.Named("k"))
	}
	bubble(t, "time", func(t *testing.T) {
		s, began := stranger(t, ""), time.Now()
		if _, err := contact(t, s); !errors.Is(err, strangers.ErrUnknown) || time.Since(began) != 10*time.Second {
			t.Errorf("Contact() error = %v after %v, want %v after 10s", err, time.Since(began), strangers.ErrUnknown)
		}
	})
	for size, want := range map[int]error{64 << 10: nil, 64<<10 + 1: strangers.ErrUnknown} {
		bubble(t, fmt.Sprint(size, " bytes"), func(t *testing.T) {
			document := `{"keys":[` + rsaKey(65537) + `]}`
			if _, err := contact(t, stranger(t, document+strings.Repeat(" ", size-len(document)))); !errors.Is(err, want) {
				t.Errorf("Contact() error = %v, want %v", err, want)
			}
		})
	}
	for others, want := range map[int]keyset.Reason{63: keyset.SymmetricKey, 64: keyset.TooMany} {
		bubble(t, fmt.Sprint("a key and others: ", others), func(t *testing.T) {
			i, err := contact(t, stranger(t, `{"keys":[`+rsaKey(65537)+strings.Repeat(`,{"kty":"oct"}`, others)+`]}`))
			if err != nil {
				t.Fatal(err)
			}
			skipped := i.Keys().Report().Skipped
			if last := skipped[len(skipped)-1]; last.Reason != want {
				t.Errorf("the last of %d is skipped: %q, want %q", len(skipped), last.Reason, want)
			}
		})
	}
	bubble(t, "exponents", func(t *testing.T) {
		i, err := contact(t, stranger(t, `{"keys":[`+rsaKey(1<<17-1)+`,`+rsaKey(1<<17+1)+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		if r := i.Keys().Report(); len(r.Keys) != 1 || r.Keys[0].ID != "e131071" || len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.SlowKey {
			t.Errorf("usable %+v, skipped %+v, want the key of 17 bits used alone", r.Keys, r.Skipped)
		}
	})
}

// One that fails is left alone for 15 seconds, and each time for twice as long as
// before, up to ten minutes.
func TestContact_LeftAlone(t *testing.T) {
	t.Parallel()
	bubble(t, "again and again", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
		requests := func(want int32) {
			t.Helper()
			w.requests.Store(0)
			if _, err := w.contact(t.Context(), 1, w.known[0].URL()); !errors.Is(err, strangers.ErrUnknown) || w.requests.Load() != want {
				t.Errorf("Contact() error = %v after %d requests, want %v after %d", err, w.requests.Load(), strangers.ErrUnknown, want)
			}
		}
		requests(1)
		for _, pause := range []time.Duration{15, 30, 60, 120, 240, 480, 600, 600} {
			time.Sleep(pause*time.Second - 1)
			requests(0)
			time.Sleep(time.Nanosecond)
			requests(1)
		}
	})
}

// At one turn a second eight wait for one, and the next that comes has somebody turned
// away.
func TestContact_FewWait(t *testing.T) {
	t.Parallel()
	bubble(t, "eight and one more", func(t *testing.T) {
		w := newWorld(t, 0, nil)
		var wg sync.WaitGroup
		var ended atomic.Int32
		w.fill(&wg)
		for n := range 9 {
			wg.Go(func() {
				_, err := w.contact(t.Context(), 1+n, fmt.Sprintf("https://more-%d.test", n))
				if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed && !errors.Is(err, strangers.ErrUnknown) {
					t.Errorf("Contact() error = %v, want a PostponedError or %v", err, strangers.ErrUnknown)
				}
				ended.Add(1)
			})
			synctest.Wait()
			if got, want := ended.Load(), int32(n/8); got != want {
				t.Errorf("%d of %d are turned away, want %d", got, n+1, want)
			}
		}
		wg.Wait()
	})
}

// A host that issuers elsewhere name is asked by two at once, eight times at once and
// then once a second, and sixteen wait.
func TestHosts_Limits(t *testing.T) {
	t.Parallel()
	bubble(t, "at once", func(t *testing.T) {
		q := strangers.Hosts{}.Of("host")
		for n := range 19 {
			if turn, err := q.Ask(t.Context(), caller(n)); err == nil {
				defer turn.End()
			}
		}
		if running, waiting, _ := q.Load(); running != 2 || waiting != 16 {
			t.Errorf("%d ask and %d wait, want 2 and 16", running, waiting)
		}
	})
	bubble(t, "over time", func(t *testing.T) {
		q := strangers.Hosts{}.Of("host")
		wantRate(t, 8, time.Second, func(n int) error {
			turn, err := q.Ask(t.Context(), caller(n))
			if err != nil {
				return err
			}
			defer turn.End()
			return turn.Wait()
		})
	})
}

// wantRate wants so many turns at once, and another one after a time.
func wantRate(t *testing.T, burst int, every time.Duration, turn func(n int) error) {
	t.Helper()
	began := time.Now()
	for n := range burst + 1 {
		if err := turn(n); err != nil {
			t.Fatal(err)
		}
		if n == burst-1 && time.Since(began) != 0 {
			t.Errorf("%d turns took %v, want no time", burst, time.Since(began))
		}
	}
	if took := time.Since(began); took < every-time.Microsecond || took > every+time.Microsecond {
		t.Errorf("one turn more took %v, want %v", took, every)
	}
}

// A line has sixteen places and a hundred turns a second, and 64 wait in it.
func TestLine_Limits(t *testing.T) {
	t.Parallel()
	bubble(t, "at once", func(t *testing.T) {
		l, putOff := strangers.NewLine(), 0
		var places []*strangers.Place
		for n := range 200 {
			p, err := l.Stand(t.Context(), caller(n))
			if err == nil {
				places = append(places, p)
			}
			if err != nil && strangers.RetryAfter(err) == 0 {
				t.Errorf("Stand() error = %v, want one that says when to try again", err)
			}
		}
		for _, p := range places {
			if p.Lost() != nil {
				putOff++
			}
			defer p.End()
		}
		if got := len(places) - putOff; got != 16+64 {
			t.Errorf("%d have a place or wait for one, want 80", got)
		}
	})
	bubble(t, "over time", func(t *testing.T) {
		l := strangers.NewLine()
		wantRate(t, 100, 10*time.Millisecond, func(n int) error {
			p, err := l.Stand(t.Context(), caller(n))
			if err != nil {
				return err
			}
			defer p.End()
			return p.Wait()
		})
	})
	if got := strangers.RetryAfter(errors.ErrUnsupported); got != 0 {
		t.Errorf("RetryAfter() = %v of an error that says nothing of it", got)
	}
}

// The program's table is asked by sixteen at once, a hundred times a second, for ten
// seconds at most, and 64 wait for their turn. What is in use is asked for anew by four.
func TestLookups_Limits(t *testing.T) {
	t.Parallel()
	bubble(t, "at once", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var ended atomic.Int32
		var wg sync.WaitGroup
		for n := range 81 {
			wg.Go(func() {
				_, _ = r.Find(t.Context(), caller(n), fmt.Sprint(n))
				ended.Add(1)
			})
		}
		synctest.Wait()
		if asked := r.asked.Load(); asked != 16 || ended.Load() != 1 {
			t.Errorf("%d questions of 81 are asked and %d put off, want 16 and 1", asked, ended.Load())
		}
		wg.Wait()
	})
	bubble(t, "over time", func(t *testing.T) {
		r := newRegistry(t, 1000)
		r.prompt.Store(true)
		wantRate(t, 100, 10*time.Millisecond, func(n int) error {
			_, err := r.Find(t.Context(), caller(n), fmt.Sprint(n))
			return err
		})
	})
	bubble(t, "one that is not answered", func(t *testing.T) {
		r := newRegistry(t, 1000)
		r.says(func(string, any) (any, error) {
			ctx := r.last.Load().(asking)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		began := time.Now()
		if _, err := r.Find(t.Context(), caller(1), "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("Find() error = %v after %v, want %v after 10s", err, time.Since(began), context.DeadlineExceeded)
		}
	})
	bubble(t, "anew", func(t *testing.T) {
		r := newRegistry(t, 1000)
		r.prompt.Store(true)
		for n := range 10 {
			r.find(t, fmt.Sprint(n), fmt.Sprint("data of ", n), nil)
		}
		r.prompt.Store(false)
		r.asked.Store(0)
		time.Sleep(30 * time.Second)
		for _, want := range []int32{4, 4, 2, 0} {
			synctest.Wait()
			r.wantAsked(t, want)
			time.Sleep(time.Second)
		}
	})
}
