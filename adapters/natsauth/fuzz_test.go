package natsauth_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// FuzzEntry: an entry that is read is JSON as a whole, and is the same revocation under
// the same key when it is written again, in any time zone. Where a form of another
// version says nothing that is known, nothing is made of it.
func FuzzEntry(f *testing.F) {
	_, whole, err := natsauth.Encode(oidcauth.Revocation{
		Issuer: "https://a.test", Subject: "alice", SessionID: "s", TokenID: "t", KeyID: "k",
		IssuedBefore: time.Unix(1e9, 1), EndedAt: time.Unix(1e9, 0), Until: time.Unix(2e9, 0).In(time.FixedZone("", 3600)),
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(whole), string(whole) + string(whole), `{}`, `null`, `[]`, ``, `{"subject":"a","later":[1]}`, `{"until":"2033-05-18T03:33:20+01:00"}`, `{"subject":1}`,
		`{"issued_before":"0000-01-01T00:00:00Z","subject":"\ud800"}`, `{"until":"9999-12-31T23:59:59.999999999-12:00","subject":"a"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := natsauth.Decode(value)
		if err != nil {
			return
		}
		if !json.Valid(value) {
			t.Fatalf("read %+v from %q", r, value)
		}
		key, again, err := natsauth.Encode(r)
		if err != nil {
			return // a time that has no form in UTC
		}
		back, err := natsauth.Decode(again)
		if err != nil {
			t.Fatalf("wrote %+v, and read: %v", r, err)
		}
		elsewhere := back
		elsewhere.Until = inZone(back.Until)
		elsewhere.IssuedBefore = inZone(back.IssuedBefore)
		if same, _, err := natsauth.Encode(elsewhere); err == nil && same != key {
			t.Errorf("%+v has the key %s, and in another zone %s", r, key, same)
		}
		if !back.Until.Equal(r.Until) || !back.IssuedBefore.Equal(r.IssuedBefore) || !back.EndedAt.Equal(r.EndedAt) || back.Subject != r.Subject ||
			back.Issuer != r.Issuer || back.SessionID != r.SessionID || back.TokenID != r.TokenID || back.KeyID != r.KeyID {
			t.Errorf("wrote %+v, read %+v", r, back)
		}
	})
}

func inZone(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(time.FixedZone("", 5400))
}

// FuzzTimeToLive: an entry is kept until its revocation is over and a little longer, as
// far as a server can count, or for ever; never for less than a second.
func FuzzTimeToLive(f *testing.F) {
	for _, seed := range [][2]int64{{0, 0}, {1e9, 1e9}, {2e9, 1e9}, {253402300799, 1764000000}, {-62135596800, 1764000000}, {9223372036, 1764000000}, {9223372037, 0}} {
		f.Add(seed[0], seed[1], int64(1), uint8(60))
	}
	f.Fuzz(func(t *testing.T, until, now, nanoseconds int64, late uint8) {
		const year = 365 * 24 * 3600
		clock := time.Unix(((now%(200*year))+200*year)%(200*year), 0)
		end := time.Unix(until%(10_000*year), nanoseconds%1e9)
		lateness := time.Duration(late) * time.Second
		got := natsauth.TimeToLive(end, clock, lateness)
		if got == 0 {
			if end.Sub(clock) < 40*year*time.Second && !end.IsZero() && clock.Year() < 2100 {
				t.Errorf("%v from %v on is for ever", end, clock)
			}
			return
		}
		leaves := clock.Add(got)
		if got < time.Second || got%time.Second != 0 || !end.IsZero() && leaves.Before(end) || leaves.Unix() > 1<<63/1_000_000_000-1 {
			t.Errorf("%v at %v is kept for %v", end, clock, got)
		}
		if want := max(end.Sub(clock), 0) + lateness + 2*time.Second; !end.IsZero() && got > want {
			t.Errorf("%v at %v is kept for %v, want %v at most", end, clock, got, want)
		}
	})
}
