package revoked

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	exact "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// FuzzWaiting: what is read from a file revokes something and ends, is what a stricter
// reader of JSON finds in the whole of it, and is the same when it is written again.
func FuzzWaiting(f *testing.F) {
	whole, err := encodeWaiting(Revocation{
		Issuer: "https://a.test|p", Subject: "alice", SessionID: "s", TokenID: "t", KeyID: "k",
		IssuedBefore: time.Unix(1e9, 1).UTC(), EndedAt: time.Unix(1e9, 0).UTC(), Until: time.Unix(2e9, 0).UTC(),
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(whole), string(whole) + string(whole), `{"version":1,"revocation":{"subject":"a","until":"2033-05-18T03:33:20Z"}}`,
		`{"version":1,"revocation":{"until":"2033-05-18T03:33:20Z"}}`, `{"version":1,"revocation":{"subject":"a"}}`, `{"version":2}`, `{"version":1,"revocation":{"subjects":"a"}}`,
		`{"version":1,"revoCAtion":{"subject":"a","Until":"2033-05-18T03:33:20Z"}}`, `{"version":1,"revocation":{"subject":"a","subject":"b","until":"2033-05-18T03:33:20Z"}}`,
		`{"version":1,"revocation":{"issued_before":"0001-01-01T00:00:00Z","until":"2033-05-18T03:33:20+01:00"}} x`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := decodeWaiting(content)
		if err != nil {
			return
		}
		if r.IsEmpty() || r.Until.IsZero() || !json.Valid(content) {
			t.Fatalf("read %+v from %q", r, content)
		}
		var file waitingFile
		if exact.Unmarshal(content, &file) == nil && file.Revocation.Normal() != r && file.Version == waitingVersion {
			t.Errorf("read %+v, want %+v, from %q", r, file.Revocation, content)
		}
		again, err := encodeWaiting(r)
		if err != nil {
			t.Fatalf("read %+v, which cannot be written: %v", r, err)
		}
		if back, err := decodeWaiting(again); err != nil || back != r {
			t.Errorf("wrote %+v, read %+v, %v", r, back, err)
		}
	})
}

// choose reads a choice from the program.
func choose[T any](program *[]byte, from ...T) T {
	if len(*program) == 0 {
		return from[0]
	}
	n := int((*program)[0]) % len(from)
	*program = (*program)[1:]
	return from[n]
}

// FuzzList: by any way through additions and steps of the clock, a token is revoked if
// and only if one of all the revocations that were ever added is of it and not over.
// A mark that is unchanged says the truth.
func FuzzList(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 2, 1, 1, 3, 1, 0})
	f.Add([]byte("\x00\x02\x01\x01\x01\x01\x01\x01\x02\x00\x02\x01\x01\x01\x01\x02\x02\x01\x01\x02\x01"))
	f.Add([]byte("\x00\x03\x00\x00\x00\x00\x01\x00\x00\x01\x03\x00\x00\x00\x00\x00\x02\x02\x01\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, program []byte) {
		program = program[:min(len(program), 400)]
		begin := time.Now().Round(0).UTC()
		now := begin
		l := NewList(Config{
			Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Revoked: func([]Revocation) {}, Lost: func() {},
		})
		defer l.Close()
		var all []Revocation
		var marks [3]Mark
		tokens := [3]Token{
			{Issuer: "i", Subject: "s", SessionID: "l", TokenID: "t", KeyID: "k", IssuedAt: begin},
			{Issuer: "j", Aliases: []string{"i"}, Prefix: "p", Subject: "ps", SubjectClaim: "s", KeyID: "m", IssuedAt: begin.Add(2 * time.Hour)},
			{Issuer: "j", Subject: "s", Seller: Seller{Issuer: "i", KeyID: "k", SoldAt: begin.Add(time.Hour)}},
		}
		at := func() time.Time {
			return begin.Add(choose(&program, 3*time.Hour, time.Hour, 2*time.Hour, 4*time.Hour, -time.Hour))
		}
		for len(program) > 0 {
			if choose(&program, false, false, true) {
				now = at()
			} else {
				r := Revocation{
					Issuer: choose(&program, "", "i", "j", "j|p"), Subject: choose(&program, "", "s", "ps"), SessionID: choose(&program, "", "l"),
					TokenID: choose(&program, "", "t"), KeyID: choose(&program, "", "k", "m"),
				}
				if choose(&program, false, true) {
					r.IssuedBefore = at()
				}
				if choose(&program, false, false, true) {
					r.EndedAt = at()
				}
				if r.Until = at(); r.IsEmpty() {
					continue
				}
				l.Add(r)
				all = append(all, r)
			}
			for i := range tokens {
				var want error
				for _, r := range all {
					if now.Before(r.Until) && r.Matches(&tokens[i]) {
						want = refusal.ErrRevoked
					}
				}
				if l.Unchanged(&marks[i]) && want != nil && len(all) > 0 {
					t.Fatalf("token %d is revoked by one of %+v, and its mark says no", i, all)
				}
				if err := l.Check(&tokens[i], now, &marks[i]); !errors.Is(err, want) || want == nil && err != nil {
					t.Fatalf("token %d at %v: Check() error = %v, want %v by %+v", i, now.Sub(begin), err, want, all)
				}
			}
		}
	})
}
