package extract_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// longToken is a token that no other value is by chance.
const longToken = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInBhZCI6InBhZGRpbmdwYWRkaW5nIn0.c2lnbmF0dXJl"

// filled puts the token where a text has a place for it, as it is or in base64url.
func filled(text string) string {
	return strings.NewReplacer("$T", longToken, "$B", inBase64(longToken), "$J", jwt).Replace(text)
}

// offeredBy lists subprotocols as RFC 9110, section 5.6.1, has lists.
func offeredBy(lines []string) []string {
	var all []string
	for _, line := range lines {
		for _, p := range strings.Split(line, ",") {
			all = append(all, strings.Trim(p, " \t\r\n"))
		}
	}
	return all
}

// forms are those in which a token is taken from subprotocols.
func forms(t testing.TB) []extract.Func {
	all := []extract.Func{extract.Subprotocol}
	for _, form := range []struct {
		prefix string
		paired bool
	}{{"bearer", true}, {"t.", false}, {"", false}} {
		take, err := extract.SubprotocolForm(form.prefix, form.paired)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, take)
	}
	return all
}

// FuzzSubprotocols: what is left of the list are others that were in it, in their
// order, and the token is not among them, in neither spelling.
func FuzzSubprotocols(f *testing.F) {
	for _, seed := range []string{
		"v1, bearer.$B,v2", "bearer.$B", "bearer, $T", "bearer, $B", "v1, bearer, $T, v2", "bearer, $T, bearer, $B", "bearer, bearer, $T", "bearer, $T, $T", "v1, bearer.$B, $T",
		"t.$T", "t.$T, t.$B, v1", "t.$T, $T, v1", "$T", "$T, v1, $B", "$T, $J", "v1,v2", "", "bearer, $T\u00a0", "bearer", "t., v1", "bearer, x, x", "bearer.Y0\n0, v1", strings.Repeat("v1,", 64) + "$T",
	} {
		for form := range uint8(4) {
			f.Add(seed, "", form)
			f.Add(seed, "v3, $T", form)
		}
	}
	all := forms(f)
	f.Fuzz(func(t *testing.T, first, second string, form uint8) {
		r := &http.Request{Header: http.Header{"Sec-Websocket-Protocol": {filled(first)}}}
		if second != "" {
			r.Header["Sec-Websocket-Protocol"] = append(r.Header["Sec-Websocket-Protocol"], filled(second))
		}
		lines := slices.Clone(r.Header["Sec-Websocket-Protocol"])
		got, err := all[form%4](r)
		checkTaken(t, got, err, lines...)
		left := r.Header["Sec-Websocket-Protocol"]
		if errors.Is(err, refusal.ErrNoToken) {
			if !slices.Equal(left, lines) {
				t.Errorf("found none, and left %q of %q", left, lines)
			}
			return
		}
		offered, rest := offeredBy(lines), offeredBy(left)
		i := 0
		for _, p := range rest {
			for i < len(offered) && offered[i] != p {
				i++
			}
			if i++; i > len(offered) {
				t.Fatalf("left %q, which is no part of %q", rest, offered)
			}
			if err == nil && (p == got && got != "bearer" || p == inBase64(got) || p == "bearer."+inBase64(got) && form%4 == 0 || p == "t."+got && form%4 == 2) {
				t.Errorf("took %q, and left it in %q", got, rest)
			}
		}
		if err == nil && !slices.ContainsFunc(offered, func(p string) bool {
			return strings.HasSuffix(p, got) || strings.HasSuffix(p, inBase64(got))
		}) {
			t.Errorf("took %q, which is not in %q", got, offered)
		}
	})
}

// FuzzFirst: of several places the request has one token or it is malformed, as each
// alone says, and where two had it no header has it afterwards.
func FuzzFirst(f *testing.F) {
	for _, seed := range [][6]string{
		{"Bearer $T", "", "", "", "", ""}, {"Bearer $T", "c=$T; a=b", "t=$T", "bearer, $T", "$T", "x $T"}, {"Bearer $T", "a=$T", "t=$T", "", "", "Bearer $T"},
		{"Bearer $T", "", "t=$J", "", "", ""}, {"Basic x", "c=$T", "", "bearer.$B, v1", "", "$T"}, {"Bearer ,", "c=$T", "", "", "", ""}, {"", "", "", "$T", "Bearer $T", ""},
		{"Bearer $T", "c=$T", "", "", "", "eyJhbGciOiJub25lIn0.eyJzdWIiOi$TJhbGljZSIsInBhZCI6InBhZGRpbmdwYWRkaW5nIn0.c2lnbmF0dXJl"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	places := append(forms(f), extract.Bearer)
	for _, make := range []func() (extract.Func, error){
		func() (extract.Func, error) { return extract.Cookie("c", nil) },
		func() (extract.Func, error) { return extract.Query("t") },
		func() (extract.Func, error) { return extract.Header("X-Token") },
	} {
		take, err := make()
		if err != nil {
			f.Fatal(err)
		}
		places = append(places, take)
	}
	f.Fuzz(func(t *testing.T, auth, cookie, query, protocols, header, other string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: filled(query)}, Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": auth, "Cookie": cookie, "Sec-Websocket-Protocol": protocols, "X-Token": header, "X-Other": other} {
			if value != "" {
				r.Header[name] = []string{filled(value)}
			}
		}
		var found []string
		var wrong bool
		for i, alone := 0, clone(r); i < len(places); i++ { // a pair leaves less to those behind it
			token, err := places[i](alone)
			wrong = wrong || err != nil && !errors.Is(err, refusal.ErrNoToken)
			if err == nil {
				found = append(found, token)
			}
		}
		wanted := slices.Compact(slices.Sorted(slices.Values(found)))
		got, err := extract.First(places)(r)
		checkTaken(t, got, err, filled(auth), filled(cookie), filled(query), filled(protocols), filled(header))
		switch {
		case len(found) == 0 && !wrong && !errors.Is(err, refusal.ErrNoToken),
			(wrong || len(wanted) > 1) && !errors.Is(err, refusal.ErrMalformedRequest),
			len(wanted) == 1 && !wrong && (err != nil || got != wanted[0]):
			t.Errorf("got %q, %v, and the places alone had %q, something wrong: %t", got, err, found, wrong)
		}
		if err == nil && len(found) > 1 && len(got) >= 64 {
			checkGone(t, r, got)
		}
	})
}

func clone(r *http.Request) *http.Request {
	copied := *r
	address := *r.URL
	copied.URL, copied.Header = &address, r.Header.Clone()
	return &copied
}

// checkGone expects no copy of a token.
func checkGone(t *testing.T, r *http.Request, token string) {
	t.Helper()
	for name, values := range maps.All(r.Header) {
		if strings.Contains(strings.Join(values, "\n"), token) {
			t.Errorf("left the token in %s: %q", name, values)
		}
	}
}

// FuzzElsewhere: whoever is told where a token is never gets it.
func FuzzElsewhere(f *testing.F) {
	for _, seed := range []string{"$T", "Token $T", "a=b; session=$T", `session="$T"`, "$T=$T", "x$T=$T", "v1, bearer.$B", "a=b&t=$T", strings.Repeat("\xd4", 200) + "=$T"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = filled(text)
		for _, name := range []string{"Authorization", "Cookie", "Sec-Websocket-Protocol", "X-Auth-Token", ""} {
			r := &http.Request{URL: &url.URL{}, Header: http.Header{name: {text}}}
			if name == "" {
				r = &http.Request{URL: &url.URL{RawQuery: text}}
			}
			got, _ := extract.Elsewhere(r)
			if strings.Contains(got, longToken) || strings.Contains(got, jwt) || strings.ContainsAny(got, "\r\n") || len(got) > 4*128+100 {
				t.Errorf("Elsewhere() = %q of %q", got, text)
			}
		}
	})
}
