package keyset_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0), key("b", 1)), &journal{}
		s := start(t, j.config(t, i))
		s.Hold()
		k := mustKeys(t, s, "a")[0]
		confirmed := time.Now()
		i.set(func(i *issuer) { i.broken = true })

		time.Sleep(time.Until(confirmed.Add(time.Hour - time.Second)))
		j.wantStates(t, "none-fresh false")
		time.Sleep(time.Until(confirmed.Add(time.Hour)))
		synctest.Wait()
		j.wantStates(t, "none-fresh false", "fresh-stale true")
		if e := j.told().events[len(j.told().events)-1]; e.Err == nil || e.Keys != 0 {
			t.Errorf("last event = %+v, want a failure without keys", e)
		}
		time.Sleep(time.Until(confirmed.Add(24*time.Hour - time.Second)))
		mustKeys(t, s, "a")
		if got := s.Report().State; got != keyset.Stale || !k.Live(time.Now()) {
			t.Errorf("State = %v, live %v, want stale and live", got, k.Live(time.Now()))
		}
		j.wantStates(t, "none-fresh false", "fresh-stale true")
		if got := i.count(); got < 23*60/7 || got > 23*60/3 {
			t.Errorf("%d fetches in a day of outage, want one in about 5 minutes", got)
		}

		time.Sleep(time.Until(confirmed.Add(24 * time.Hour)))
		synctest.Wait()
		if k.Live(time.Now()) {
			t.Error("key live beyond the stale limit")
		}
		_, err := s.Keys(t.Context(), jws.Named("a"))
		if retry := unavailable(t, err).RetryAfter; retry <= 0 || retry > 5*time.Minute {
			t.Errorf("RetryAfter = %v, want up to 5m", retry)
		}
		j.wantStates(t, "none-fresh false", "fresh-stale true", "stale-gone true")
		if got := ids(j.told().gone); got != "[a b]" {
			t.Errorf("KeysGone was told %v, want a and b", got)
		}

		i.set(func(i *issuer) { i.broken = false })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if again := mustKeys(t, s, "a")[0]; again == k || !again.Live(time.Now()) {
			t.Error("want a new, live key after the outage")
		}
		j.wantStates(t, "none-fresh false", "fresh-stale true", "stale-gone true", "gone-fresh false")
		s.Release()
	})
}

func TestOutage_EndsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		s := startHeld(t, j.config(t, i))
		k := mustKeys(t, s, "a")[0]
		i.set(func(i *issuer) { i.status = 503 })
		time.Sleep(3 * time.Hour)
		i.set(func(i *issuer) { i.status = 0 })
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		j.wantStates(t, "none-fresh false", "fresh-stale true", "stale-fresh false")
		if mustKeys(t, s, "a")[0] != k {
			t.Error("the key is another after the outage")
		}
		if len(j.told().gone) != 0 {
			t.Errorf("KeysGone was told %v, want nothing", ids(j.told().gone))
		}
	})
}

// An issuer that serves keys in hand is asked ever more rarely; one whose keys
// everybody waits for, every half minute.
func TestBackOff(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		keys  bool
		limit time.Duration
	}{
		{"with keys in hand", true, 5 * time.Minute},
		{"without keys", false, 30 * time.Second},
	}
	for _, row := range rows {
		for _, jitter := range []float64{0, 0.5, 0.999} {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { wantBackOff(t, row.keys, jitter, row.limit) })
			})
		}
	}
}

// wantBackOff looks at the pauses between the failures of an hour.
func wantBackOff(t *testing.T, keys bool, jitter float64, limit time.Duration) {
	i, j := newIssuer(key("a", 0)), &journal{}
	cfg := keyset.WithRandom(i.config(t), func() float64 { return jitter })
	cfg.Hooks = j.hooks()
	s := startHeld(t, cfg)
	skip := 0
	if keys {
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		skip = len(j.fetchTimes())
	}
	i.set(func(i *issuer) { i.broken = true })
	if !keys {
		unavailable(t, s.Ready(t.Context()))
	}
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	times := j.fetchTimes()[skip:]
	if len(times) < 15 {
		t.Fatalf("%d failures in two hours, want 15 at least", len(times))
	}
	for n := 1; n < 15; n++ {
		want := min(time.Second<<(n-1), limit)
		want = min(time.Duration(float64(want)*(0.75+0.5*jitter)), 5*time.Minute)
		if got := times[n].Sub(times[n-1]); got != want {
			t.Errorf("back-off %d = %v, want %v", n, got, want)
		}
	}
}

func TestBackOff_RetryAfter(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, header string
		least, most  time.Duration
	}{
		{"the issuer's wish counts", "90", 90 * time.Second, 90 * time.Second},
		{"but not beyond five minutes", "86400", 5 * time.Minute, 5 * time.Minute},
		{"and not below the back-off", "0", 750 * time.Millisecond, 1250 * time.Millisecond},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			i.status = 429
			i.header.Set("Retry-After", row.header)
			s := start(t, i.config(t))
			got := unavailable(t, s.Ready(t.Context())).RetryAfter
			if got < row.least || got > row.most {
				t.Errorf("RetryAfter = %v, want %v to %v", got, row.least, row.most)
			}
		})
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, header, value string
		want                time.Duration
	}{
		{"no header", "X-Nothing", "", time.Hour},
		{"within bounds", "Cache-Control", "public, max-age=21600", 6 * time.Hour},
		{"too short", "Cache-Control", "max-age=1", 5 * time.Minute},
		{"too long", "Cache-Control", "max-age=31536000", 24 * time.Hour},
		{"forbidden to keep", "Cache-Control", "no-store", 5 * time.Minute},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			i.header.Set(row.header, row.value)
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			r := s.Report()
			if r.Lifetime != row.want || r.FreshUntil.Sub(r.Confirmed) != row.want {
				t.Errorf("Lifetime = %v, want %v", r.Lifetime, row.want)
			}
			early, late := row.want*76/100, row.want*84/100
			if at := time.Until(r.NextRefresh); at < early || at > late {
				t.Errorf("NextRefresh in %v, want %v to %v", at, early, late)
			}
		})
	}
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	bubble(t, "a removed key dies, the others keep their pointers", func(t *testing.T) {
		i, j := newIssuer(key("a", 0), key("b", 1)), &journal{}
		s := startHeld(t, j.config(t, i))
		a, b := mustKeys(t, s, "a")[0], mustKeys(t, s, "b")[0]
		i.publish(key("c", 2), key("b", 1))
		time.Sleep(time.Hour)
		synctest.Wait()
		if a.Live(time.Now()) || !b.Live(time.Now()) {
			t.Errorf("live: a %v, b %v, want only b", a.Live(time.Now()), b.Live(time.Now()))
		}
		refused(t, s, "a", keyset.ErrUnknownKey)
		if mustKeys(t, s, "b")[0] != b {
			t.Error("b is another key after the refresh")
		}
		if ids(j.told().gone) != "[a]" || j.told().gone[0] != a {
			t.Errorf("KeysGone was told %v, want a", ids(j.told().gone))
		}
		mustKeys(t, s, "c")
		i.publish(key("a", 0))
		time.Sleep(time.Hour)
		synctest.Wait()
		if back := mustKeys(t, s, "a")[0]; back == a || a.Live(time.Now()) {
			t.Error("a key that left came back to life")
		}
	})
	for _, row := range []struct{ name, body string }{
		{"an empty set", `{"keys":[]}`},
		{"no set at all", `{}`},
		{"keys in another case", `{"Keys":[` + key("a", 0) + `]}`},
		{"garbage", `<html>maintenance</html>`},
		{"a truncated answer", jwks(key("a", 0))[:80]},
		{"nothing usable", `{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`},
	} {
		bubble(t, row.name+" never replaces keys that work", func(t *testing.T) {
			i, j := newIssuer(key("a", 0)), &journal{}
			s := startHeld(t, j.config(t, i))
			a := mustKeys(t, s, "a")[0]
			i.set(func(i *issuer) { i.body = row.body })
			time.Sleep(2 * time.Hour)
			if mustKeys(t, s, "a")[0] != a || !a.Live(time.Now()) {
				t.Error("the working key is gone")
			}
			if r := s.Report(); r.State != keyset.Stale || r.LastError == nil {
				t.Errorf("Report() = %v, %v, want stale and why", r.State, r.LastError)
			}
			i.publish(key("b", 1))
			time.Sleep(5 * time.Minute)
			mustKeys(t, s, "b")
		})
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		i.etag = `"1"`
		i.header.Set("Cache-Control", "max-age=7200")
		s := startHeld(t, j.config(t, i))
		a := mustKeys(t, s, "a")[0]
		i.set(func(i *issuer) { i.header.Del("Cache-Control") })
		time.Sleep(25 * time.Hour) // longer than the stale limit
		synctest.Wait()
		if mustKeys(t, s, "a")[0] != a || !a.Live(time.Now()) {
			t.Error("304 did not confirm the key")
		}
		r := s.Report()
		if r.Lifetime != 2*time.Hour || r.ETag != `"1"` {
			t.Errorf("Lifetime = %v, ETag = %s, want those of the first answer", r.Lifetime, r.ETag)
		}
		if !r.Fetched.Before(r.Confirmed) || time.Since(r.Confirmed) > 2*time.Hour {
			t.Errorf("fetched %v, confirmed %v, want the latter recent", r.Fetched, r.Confirmed)
		}
		if e := j.told().events[len(j.told().events)-1]; !e.NotModified || e.Keys != 1 || e.Lookup {
			t.Errorf("last event = %+v, want a 304", e)
		}
		if got := i.last().Header.Get("If-None-Match"); got != `"1"` {
			t.Errorf("If-None-Match = %s, want the first ETag", got)
		}
		i.set(func(i *issuer) { i.header.Set("Cache-Control", "max-age=14400") })
		time.Sleep(2 * time.Hour)
		if r := s.Report(); r.Lifetime != 4*time.Hour || r.Fetched.After(time.Now().Add(-24*time.Hour)) {
			t.Errorf("Lifetime = %v, fetched %v, want what the 304 said", r.Lifetime, r.Fetched)
		}
		i.set(func(i *issuer) { i.header.Set("Cache-Control", "max-age=7200") })
		time.Sleep(4 * time.Hour)
		i.set(func(i *issuer) { i.etag, i.body = `"2"`, jwks(key("b", 1)) })
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if r := s.Report(); len(r.Keys) != 1 || r.Keys[0].ID != "b" || r.ETag != `"2"` {
			t.Errorf("keys = %v, ETag = %s, want those of the new answer", r.Keys, r.ETag)
		}
	})
}
