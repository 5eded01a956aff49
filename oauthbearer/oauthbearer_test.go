package oauthbearer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oauthbearer"
)

func TestParse(t *testing.T) {
	t.Parallel()
	token := oauthbearer.Request{Token: "abc.def"}
	for _, row := range []struct {
		name, message string
		want          oauthbearer.Request
		err           error
	}{
		{"token", "n,,\x01auth=Bearer abc.def\x01\x01", token, nil},
		{"no token, as libpq comes first", "n,,\x01auth=\x01\x01", oauthbearer.Request{}, nil},
		{"RFC 7628, section 4.1, without the identity", "n,,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
			oauthbearer.Request{Token: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", Host: "server.example.com", Port: "143"}, nil},
		{"scheme in small letters", "n,,\x01auth=bearer abc.def\x01\x01", token, nil},
		{"spaces before the token", "n,,\x01auth=Bearer   abc.def\x01\x01", token, nil},
		{"client that would bind", "y,,\x01auth=Bearer abc.def\x01\x01", token, nil},
		{"a key that nobody knows", "n,,\x01mthd=POST\x01auth=Bearer abc.def\x01\x01", token, nil},

		{"RFC 7628, section 4.1, whole", "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrUnsupported},
		{"channel binding", "p=tls-exporter,,\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrUnsupported},
		{"nothing", "", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"header alone", "n,,", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"header without its end", "n,\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"header with an identity that has no end", "n,a=x\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"header of another kind", "x,,\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"header with more", "n,b=c,\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"no header", "\x01auth=Bearer abc.def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"no end", "n,,\x01auth=Bearer abc.def\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"no separator", "n,,\x01auth=Bearer abc.def", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"something behind the end", "n,,\x01auth=Bearer abc.def\x01\x01x", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"a second message behind the end", "n,,\x01auth=Bearer abc.def\x01\x01auth=Bearer xyz\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"two tokens", "n,,\x01auth=Bearer abc.def\x01auth=Bearer xyz\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"no token at all", "n,,\x01host=x\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"no pairs", "n,,\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"pair without a value", "n,,\x01auth\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"pair without a key", "n,,\x01=x\x01auth=Bearer abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"key with a digit", "n,,\x01a1=x\x01auth=Bearer abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"value with a zero", "n,,\x01host=a\x00b\x01auth=Bearer abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"value beyond ASCII", "n,,\x01host=é\x01auth=Bearer abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"another scheme", "n,,\x01auth=Basic abc\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"scheme alone", "n,,\x01auth=Bearer\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"scheme and a space", "n,,\x01auth=Bearer \x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"padding alone", "n,,\x01auth=Bearer ==\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"two words", "n,,\x01auth=Bearer abc def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"token with a comma", "n,,\x01auth=Bearer abc,def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"padding in the middle", "n,,\x01auth=Bearer abc=def\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
		{"a line end behind the token", "n,,\x01auth=Bearer abc\n\x01\x01", oauthbearer.Request{}, oauthbearer.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := oauthbearer.Parse([]byte(row.message))
			if !errors.Is(err, row.err) || got.Token != row.want.Token || got != row.want {
				t.Errorf("Parse() = %v, %v, want %v, %v", got, err, row.want, row.err)
			}
			if err != nil && strings.Contains(err.Error(), "abc") {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

// Of the bytes that there are, tokens, names and values have those that the
// specifications give them.
func TestParse_Bytes(t *testing.T) {
	t.Parallel()
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, row := range []struct{ name, format, want string }{
		{"token (RFC 6750, section 2.1)", "n,,\x01auth=Bearer a%sb\x01\x01", letters + "0123456789-._~+/"},
		{"name (RFC 7628, section 3.1)", "n,,\x01auth=\x01a%sb=x\x01\x01", letters + "="}, // which ends it
		{"value (RFC 7628, section 3.1)", "n,,\x01auth=\x01host=a%sb\x01\x01", letters + "0123456789 \t\r\n!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
	} {
		for b := range 256 {
			if b == 1 { // ends them all
				continue
			}
			_, err := oauthbearer.Parse(fmt.Appendf(nil, row.format, string([]byte{byte(b)})))
			if want := strings.IndexByte(row.want, byte(b)) >= 0; (err == nil) != want {
				t.Errorf("%s with byte %#x: error = %v, want it to be good: %t", row.name, b, err, want)
			}
		}
	}
}

// An error says what of the message is wrong.
func TestParse_Says(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"n,,":                                "malformed message: no key/value pairs",
		"n,,\x01auth=Bearer abc\x01":         "malformed message: no end",
		"n,,\x01auth=Bearer abc\x01\x01x":    "malformed message: something behind the end",
		"n,,\x01auth\x01\x01":                "malformed message: key",
		"n,,\x01auth=\x01host=a\x00\x01\x01": "malformed message: value",
		"n,,\x01auth=\x01auth=\x01\x01":      "malformed message: a key that stands twice",
		"n,,\x01host=x\x01\x01":              `malformed message: no "auth"`,
		"n,,\x01auth=Basic abc\x01\x01":      "malformed message: another scheme than Bearer",
		"n,,\x01auth=Bearer \x01\x01":        "malformed message: token",
		"x,,\x01auth=\x01\x01":               "malformed message: GS2 header",
		"p=x,,\x01auth=\x01\x01":             "not supported: channel binding",
		"n,a=x,\x01auth=\x01\x01":            "not supported: an authorization identity",
	} {
		if _, err := oauthbearer.Parse([]byte(message)); err == nil || err.Error() != "oauthbearer: "+want {
			t.Errorf("%q: error = %v, want %s", message, err, want)
		}
	}
}

func TestRequest_ShowsNoToken(t *testing.T) {
	t.Parallel()
	r := oauthbearer.Request{Token: "abc.def", Host: "db.example.com"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, value := range []any{r, &r, []oauthbearer.Request{r}} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, "abc") || strings.Contains(text, "6162632e") || !strings.Contains(text, "db.example.com") {
				t.Errorf("%s: got %s, want the host and no token", verb, text)
			}
		}
	}
}

// What is printed says whether there is a token.
func TestRequest_ShowsWhether(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{"": "{token: none, ", "abc.def": "{token: some, "} {
		if got := fmt.Sprint(oauthbearer.Request{Token: token}); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s…", got, want)
		}
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		challenge oauthbearer.Challenge
		want      string
	}{
		{oauthbearer.Challenge{}, `{"status":"invalid_token"}`},
		{oauthbearer.Challenge{Discovery: "https://x.example/.well-known/openid-configuration", Scope: "openid db"},
			`{"status":"invalid_token","scope":"openid db","openid-configuration":"https://x.example/.well-known/openid-configuration"}`},
		{oauthbearer.Challenge{Scope: `a"b` + "\x01"}, `{"status":"invalid_token","scope":"a\"b\u0001"}`},
	} {
		got := row.challenge.Message()
		if string(got) != row.want || !json.Valid(got) {
			t.Errorf("Message() = %s, want %s", got, row.want)
		}
	}
	for response, want := range map[string]bool{"\x01": true, "": false, "\x01\x01": false, "x": false} {
		if got := oauthbearer.Acknowledged([]byte(response)); got != want {
			t.Errorf("Acknowledged(%q) = %v, want %v", response, got, want)
		}
	}
}

// FuzzParse: whatever is accepted is what a client would write, in the one order of
// its parts or another.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"n,,\x01auth=Bearer abc.def\x01\x01", "n,,\x01auth=\x01\x01", "y,,\x01host=h\x01port=1\x01auth=bearer a==\x01\x01",
		"n,a=x,\x01auth=Bearer a\x01\x01", "p=x,,\x01auth=Bearer a\x01\x01", "n,,\x01\x01", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		r, err := oauthbearer.Parse(message)
		if err != nil {
			if !errors.Is(err, oauthbearer.ErrMalformed) && !errors.Is(err, oauthbearer.ErrUnsupported) || r != (oauthbearer.Request{}) {
				t.Fatalf("Parse() = %v, %v", r, err)
			}
			return
		}
		text := string(message)
		if !strings.HasSuffix(text, "\x01\x01") || strings.Count(text, "\x01auth=") != 1 || !strings.Contains(text, r.Token+"\x01") {
			t.Fatalf("Parse(%q) = %v", message, r)
		}
	})
}
