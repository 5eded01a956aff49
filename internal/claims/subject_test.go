package claims_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A subject is "sub", or what the issuer's description names in its place; another one
// only where that is not there at all. A refusal says what is wrong with which.
func TestReader_ReadSubject(t *testing.T) {
	t.Parallel()
	shape := func(names ...string) claims.Shape {
		var s claims.Shape
		for _, name := range names {
			s.Subject = append(s.Subject, strings.Split(name, "/"))
		}
		return s
	}
	orElse := func(s claims.Shape, name string) claims.Shape {
		s.SubjectElse = []claims.Path{{name}}
		return s
	}
	numeric := claims.Shape{Numeric: true}
	for _, tt := range []struct {
		name, payload string
		shape         claims.Shape
		subject       string
		err           string // got and want; empty for a subject
	}{
		{"another, and the subject", `{"sub":"alice","appid":"9"}`, orElse(shape(), "appid"), "alice", ""},
		{"another, and no subject", `{"appid":"9"}`, orElse(shape(), "appid"), "9", ""},
		{"another, and an unreadable subject", `{"sub":7,"appid":"9"}`, orElse(shape(), "appid"), "", `got "sub": number, want a string`},
		{"an unreadable subject", `{"sub":7}`, shape(), "", `got "sub": number, want a string`},
		{"another, and what the path begins with is missing", `{"appid":"9"}`, orElse(shape("oid/id"), "appid"), "9", ""},

		{"a claim that is missing", `{"sub":"alice"}`, shape("oid"), "", `got no string at "oid", want a part of the subject`},
		{"a claim that is a number", `{"oid":1}`, shape("oid"), "", `got no string at "oid", want a part of the subject`},
		{"a claim that is empty", `{"oid":""}`, shape("oid"), "", `got an empty string at "oid", want a part of the subject`},
		{"a first claim with the separator", `{"tid":"1|","oid":"2"}`, shape("tid", "oid"), "", `got "tid" contains "|", want a part without the separator`},
		{"a last claim with the separator", `{"tid":"1","oid":"|2"}`, shape("tid", "oid"), "1||2", ""},

		{"the largest integer", `{"sub":9007199254740991}`, numeric, "9007199254740991", ""},
		{"an integer that is too large", `{"sub":9007199254740992}`, numeric, "", `got "sub": "9007199254740992", want an integer from 0 to 9007199254740991, in digits`},
		{"a string for an integer", `{"sub":"7"}`, numeric, "", `got "sub": string, want an integer from 0 to 9007199254740991, in digits`},

		{"as long as it may be behind a prefix", `{"sub":"` + strings.Repeat("a", 2044) + `"}`, claims.Shape{Prefix: "spt:"}, "spt:" + strings.Repeat("a", 2044), ""},
		{"too long behind a prefix", `{"sub":"` + strings.Repeat("a", 2045) + `"}`, claims.Shape{Prefix: "spt:"}, "", `got a subject of 2045 bytes, want 1 to 2044 bytes`},
	} {
		members, err := jws.ParseObject(nil, tt.payload)
		if err != nil {
			t.Fatal(err)
		}
		r := claims.Reader{Members: members, Record: new(claims.Record), Shape: &tt.shape}
		err = r.ReadSubject()
		if refused := err != nil; refused != (tt.err != "") || r.Record.Subject != tt.subject {
			t.Errorf("%s: ReadSubject() = %q, %v, want %q, %s", tt.name, r.Record.Subject, err, tt.subject, tt.err)
		} else if refused && (!errors.Is(err, refusal.ErrClaim) || !strings.HasSuffix(err.Error(), ": "+tt.err)) {
			t.Errorf("%s: ReadSubject() error = %v, want %s", tt.name, err, tt.err)
		}
	}
}
