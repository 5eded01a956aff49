package jws_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A buffer that tokens are parsed into keeps nothing of a header, and nothing of a token
// that was refused.
func TestParse_LetsGo(t *testing.T) {
	t.Parallel()
	header := encode(`{"alg":"ES256","kid":"secret","typ":"JWT","x":"secret"}`)
	for _, tt := range []struct {
		name, payload string
		want          error
	}{
		{"a good one", `{"a":1}`, nil},
		{"one with data behind it", `{"a":1,"b":"secret"}x`, jws.ErrMalformed},
		{"one with a name twice", `{"a":1,"b":"secret","a":2}`, jws.ErrMalformed},
	} {
		var token jws.Token
		buffer := make([]jws.Member, 0, 24)
		members, err := token.Parse(buffer, header+"."+encode(tt.payload)+".AAAA", maxBytes)
		if !errors.Is(err, tt.want) {
			t.Fatalf("%s: Parse() error = %v, want %v", tt.name, err, tt.want)
		}
		for _, m := range buffer[len(members):cap(buffer)] {
			if m != (jws.Member{}) {
				t.Errorf("%s: %+v is left in the buffer", tt.name, m)
			}
		}
	}
}

// What an object costs in pieces of memory does not grow with its members, and what has
// a buffer costs none.
func TestParseObject_Allocations(t *testing.T) {
	var escaped strings.Builder
	for i := range 40 {
		fmt.Fprintf(&escaped, `"\u0061%d":0,`, i)
	}
	for _, tt := range []struct {
		name, text string
		room       int
		most       float64
	}{
		{"40 members without a buffer", members(40), 0, 4}, // with -race each growth is two,
		{"40 members into a buffer as large", members(40), 40, 0},
		{"40 names with escapes", `{` + escaped.String() + `"z":0}`, 41, 1},
	} {
		buffer := make([]jws.Member, 0, tt.room)
		got := testing.AllocsPerRun(50, func() {
			if _, err := jws.ParseObject(buffer, tt.text); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.most {
			t.Errorf("%s: ParseObject() allocates %v times, want at most %v", tt.name, got, tt.most)
		}
	}
}

// Memory is made for the members that may still come, and not for those that have come.
func TestParseObject_Capacity(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, `"%d":%q,`, i, strings.Repeat("x", 1000))
	}
	got, err := jws.ParseObject(nil, `{`+b.String()+`"z":0}`)
	if err != nil || len(got) != 9 || cap(got) > 18 {
		t.Errorf("ParseObject() = %d members with room for %d, %v", len(got), cap(got), err)
	}
}

// The table that many names need is used again.
func TestParseObject_ManyNamesMemory(t *testing.T) {
	const runs = 200
	text := members(300)
	buffer := make([]jws.Member, 0, 300)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if _, err := jws.ParseObject(buffer, text); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / runs; bytes > 40<<10 {
		t.Errorf("ParseObject() takes %d bytes each time, want less than the table has", bytes)
	}
}

// A string with escapes costs one piece of memory.
func TestMember_TextAllocations(t *testing.T) {
	m := jws.Member{Value: `"` + strings.Repeat(`ab\u0063d`, 100) + `"`, Kind: jws.String}
	got := testing.AllocsPerRun(50, func() {
		if _, err := m.Text(); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 {
		t.Errorf("Text() allocates %v times, want once", got)
	}
}
