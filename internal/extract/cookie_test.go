package extract_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Other cookies beside the token's stay, byte for byte and in their order, whether the
// token was accepted or not.
func TestCookie_LeavesOthers(t *testing.T) {
	t.Parallel()
	take := must(t)(extract.Cookie("c", nil))
	for _, tt := range []struct {
		name  string
		lines []string
		want  error
		left  []string
	}{
		{"one before and one behind", []string{"a=1; c=" + token + "; b=2"}, nil, []string{"a=1; b=2"}},
		{"alone", []string{"c=" + token}, nil, nil},
		{"twice, and others between", []string{"c=" + token + "; a=1; c=" + token + "; b=2"}, nil, []string{"a=1; b=2"}},
		{"several of one name", []string{"a=1; c=" + token + "; a=2; a=1"}, nil, []string{"a=1; a=2; a=1"}},
		{"in a line of its own", []string{"a=1", "c=" + token, "b=2"}, nil, []string{"a=1; b=2"}},
		{"values in quotes", []string{`a="1 2"; c="` + token + `"; b=""`}, nil, []string{`a="1 2"; b=""`}},
		{"a value with equals signs", []string{"a=b=c==; c=" + token}, nil, []string{"a=b=c=="}},
		{"no value", []string{"a; b=; c=" + token + "; =d"}, nil, []string{"a; b=; =d"}},
		{"blanks within", []string{"a = 1 2 ;c=" + token + ";\tb=2\t"}, nil, []string{"a = 1 2; b=2"}},
		{"what is no ASCII", []string{"a=ü\u00a0; \u00a0b=\xff; c=" + token}, nil, []string{"a=ü\u00a0; \u00a0b=\xff"}},
		{"a name that begins or ends alike", []string{"cc=1; c=" + token + "; xc=2; C=3; c.=4"}, nil, []string{"cc=1; xc=2; C=3; c.=4"}},
		{"empty ones, which are none", []string{";; ;c=" + token + ";", ""}, nil, nil},
		{"none of the token's, nothing is touched", []string{"a=1;b=2 ;", " d"}, refusal.ErrNoToken, []string{"a=1;b=2 ;", " d"}},
		{"two that differ", []string{"a=1; c=" + token + "; b=2; c=x"}, refusal.ErrMalformedRequest, []string{"a=1; b=2"}},
		{"one that is no token", []string{`a="x"; c=a b; b=2`}, refusal.ErrMalformedRequest, []string{`a="x"; b=2`}},
		{"half of its quotes", []string{`c="; a=1`}, refusal.ErrMalformedRequest, []string{"a=1"}},
		{"as many as net/http reads", []string{strings.Repeat("a=1; ", 2999) + "c=" + token}, nil, []string{strings.Repeat("a=1; ", 2998) + "a=1"}},
		{"more than it reads", []string{strings.Repeat("a=1; ", 3000) + "c=" + token}, refusal.ErrMalformedRequest, []string{strings.Repeat("a=1; ", 3000) + "c=" + token}},
		{"lines, as many as it reads", slices.Repeat([]string{"c=" + token}, 3000), nil, nil},
		{"lines, more than it reads", slices.Repeat([]string{"c=" + token}, 3001), refusal.ErrMalformedRequest, slices.Repeat([]string{"c=" + token}, 3001)},
		{"empty ones, more than it reads", []string{strings.Repeat(";", 3000), "c=" + token}, refusal.ErrMalformedRequest, []string{strings.Repeat(";", 3000), "c=" + token}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			for _, line := range tt.lines {
				r.Header.Add("Cookie", line)
			}
			got, err := take(r)
			if !errors.Is(err, tt.want) || (got == token) != (tt.want == nil) {
				t.Errorf("got %q, %v, want error %v", got, err, tt.want)
			}
			if left := r.Header["Cookie"]; !slices.Equal(left, tt.left) {
				t.Errorf("left %q, want %q", left, tt.left)
			}
		})
	}
}

// A token that stood in two places leaves the cookies that have a copy of it, whole,
// and the others as they are.
func TestFirst_LeavesOtherCookies(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("abcdefgh", 8) + ".b.c"
	query := must(t)(extract.Query("t"))
	for _, tt := range []struct {
		name  string
		lines []string
		left  []string
	}{
		{"a copy among others", []string{`a="1 2"; copy=x` + long + "; a=2"}, []string{`a="1 2"; a=2`}},
		{"copies alone", []string{"copy=" + long, "more=" + long}, nil},
		{"no copy, nothing is touched", []string{"a=1;b=2", " d"}, []string{"a=1;b=2", " d"}},
		{"a copy in another line", []string{"a=\u00a0 ;b", "copy=" + long}, []string{"a=\u00a0; b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?t="+long, nil)
			r.Header.Set("Authorization", "Bearer "+long)
			for _, line := range tt.lines {
				r.Header.Add("Cookie", line)
			}
			if got, err := extract.First([]extract.Func{extract.Bearer, query})(r); got != long || err != nil {
				t.Errorf("got %q, %v, want the token", got, err)
			}
			if left := r.Header["Cookie"]; !slices.Equal(left, tt.left) {
				t.Errorf("left %q, want %q", left, tt.left)
			}
		})
	}
}
