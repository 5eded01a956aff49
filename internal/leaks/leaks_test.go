package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A planted token is found in each form, and what is no token is not.
func TestFind(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	token := issuer.Token(map[string]any{"aud": "db"})
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	claims, _ := base64.RawURLEncoding.DecodeString(payload)
	proof := oidctest.NewProver(t, "ES256").Proof("GET", "https://db.test/", token, nil)
	escape := func(of string) string {
		var b strings.Builder
		for i := range len(of) {
			fmt.Fprintf(&b, "%%%02x", of[i])
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"a token":                  {token, true},
		"in a log line":            {`{"level":"INFO","token":"` + token + `"}`, true},
		"behind its scheme":        {"Authorization:[Bearer " + token + "]", true},
		"without its signature":    {header + "." + payload, true},
		"its payload alone":        {"got " + payload, true},
		"cut after 100 bytes":      {token[:100], true},
		"its header and signature": {header + "." + signature, true},
		"in a subprotocol":         {"bearer." + base64.RawURLEncoding.EncodeToString([]byte(token)), true},
		"in base64":                {base64.StdEncoding.EncodeToString([]byte(token)), true},
		"in base64, behind a byte": {base64.StdEncoding.EncodeToString([]byte(":" + token)), true},
		"in base64, behind two":    {base64.URLEncoding.EncodeToString([]byte("a:" + token)), true},
		"in base64, behind three":  {base64.StdEncoding.EncodeToString([]byte("ab:" + token)), true},
		"in Basic credentials":     {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("my-db:"+token)), true},
		"as bytes":                 {fmt.Sprint([]byte("Bearer " + token)), true},
		"as bytes in Go":           {fmt.Sprintf("%#v", []byte("x"+token)), true},
		"bytes of something else":  {fmt.Sprintf("%v %#v", []byte(claims), []byte(claims)), false},
		"in hexadecimal":           {hex.EncodeToString([]byte(token)), true},
		"in capital hexadecimal":   {strings.ToUpper(hex.EncodeToString([]byte(token))), true},
		"as bytes in hexadecimal":  {fmt.Sprintf("%x", token), true},
		"in an address":            {"/?access_token=" + url.QueryEscape(token) + "&x", true},
		"with its dots escaped":    {strings.ReplaceAll(token, ".", "%2E"), true},
		"escaped as a whole":       {"/?t=" + escape(token), true},
		"behind an escaped blank":  {"Bearer%20" + token, true},
		"a proof of possession":    {proof, true},
		"a logout token":           {issuer.LogoutToken(map[string]any{"sub": "alice", "aud": "db"}), true},
		"an encrypted token":       {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + ".." + signature, true},
		"an opaque token":          {issuer.OpaqueToken(nil), true},
		"what the payload says":    {string(claims), false},
		"the header alone":         {header, false},
		"a key set":                {string(issuer.KeySet()), false},
		"an identity":              {"c200483152d642c7d402de06cacc36dcb0c2a1f2bbeb8e7d5a673f2435cca975", false},
		"the beginning of one":     {token[:12] + "…", false},
		"words":                    {"oidcauth: token expired: got 2026-01-01T00:00:00Z, want later than 2026-01-01T00:00:01Z", false},
		"an address":               {"https://issuer.test/.well-known/openid-configuration?x=%2F%41", false},
	} {
		if got := find([]byte(tt.text)); (len(got) > 0) != tt.want {
			t.Errorf("%s: found %t, want %t", name, len(got) > 0, tt.want)
		}
	}
}

// Tests that say a token fail, whether they print it or the library says it, and those
// that say something else do not.
func TestRun(t *testing.T) {
	t.Parallel()
	token := oidctest.NewIssuer(t, oidctest.Config{}).Token(nil)
	for name, tt := range map[string]struct {
		body   string
		leaks  int
		failed bool
	}{
		"nothing": {`t.Log("nothing")`, 0, false},
		"each way": {`t.Log("got " + token)
			fmt.Println(token)
			t.Run(token, func(*testing.T) {})
			t.Attr("token", token)
			fmt.Println(strings.Repeat("x", 900) + " " + token) // in two events
			fmt.Print(token) // a line that does not end
			os.WriteFile(os.Getenv("OIDCAUTH_SAID")+"/x", []byte("a\nerror: "+token+"\n"), 0o600)`, 7, false},
		"a panic": {`panic(token)`, 1, true},
		"what it noted, before and after": {`const secret = "correct horse " + "battery staple"
			fmt.Println("got", secret)
			os.WriteFile(os.Getenv("OIDCAUTH_SAID")+"/x.secrets", []byte("{\"Kind\":\"password\",\"Value\":\"` + base64.StdEncoding.EncodeToString([]byte("correct horse battery staple")) + `\"}\n"), 0o600)
			t.Logf("%x", secret)
			os.WriteFile(os.Getenv("OIDCAUTH_SAID")+"/x", []byte("error: "+secret[:20]+"\n"), 0o600)`, 3, false},
		"what it noted, and nobody says": {`t.Log("a correct house", "battery stable")
			os.WriteFile(os.Getenv("OIDCAUTH_SAID")+"/x.secrets", []byte("{\"Kind\":\"password\",\"Value\":\"` + base64.StdEncoding.EncodeToString([]byte("correct horse battery staple")) + `\"}\n"), 0o600)`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := "package p\nimport (\"fmt\"; \"os\"; \"strings\"; \"testing\")\nvar _, _, _ = fmt.Print, os.Args, strings.Cut\nconst token = \"" + token[:60] + "\" + \"" + token[60:] + "\"\nfunc TestX(t *testing.T) {\n" + tt.body + "\n}\n"
			for path, text := range map[string]string{"p_test.go": file, "go.mod": "module p\n\ngo 1.26\n"} {
				if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			leaked, err := run(dir, []string{"-vet=off", "-count=1", "."}, io.Discard)
			if (len(leaked) > 0) != (tt.leaks > 0) || len(leaked) < tt.leaks || (err != nil) != tt.failed {
				t.Errorf("run() finds %d tokens, want %d; error %v", len(leaked), tt.leaks, err)
			}
			for _, l := range leaked {
				if len(find([]byte(l))) > 0 || strings.Contains(l, "horse") {
					t.Errorf("the report has the secret")
				}
			}
		})
	}
}

// A token is found wherever the pieces end that a text comes in, and however long its
// line is, once for each line.
func TestLines(t *testing.T) {
	t.Parallel()
	token := oidctest.NewIssuer(t, oidctest.Config{}).Token(nil)
	text := "one\ngot " + token + "\ntwo\n"
	for cut := range len(text) {
		l := lines{search: find}
		n := 0
		for _, piece := range []string{text[:cut], text[cut:]} {
			for _, line := range l.find([]byte(piece)) {
				if n++; line != "got "+token+"\n" {
					t.Errorf("cut at %d: the line is %q", cut, line)
				}
			}
		}
		if want := strings.Count(token, ".") + 1; n < 1 || n > want {
			t.Errorf("cut at %d: found %d times", cut, n)
		}
	}
	for before := longest - len(token) - 8; before < longest+8; before += 7 {
		l := lines{search: find}
		found := false
		text := strings.Repeat(".", before) + token + strings.Repeat(" ", longest)
		for len(text) > 0 {
			piece := text[:min(len(text), 1024)]
			text = text[len(piece):]
			for range l.find([]byte(piece)) {
				found = true
			}
			if len(l.rest) > longest+1024 {
				t.Fatalf("%d bytes are kept of a line", len(l.rest))
			}
		}
		if !found {
			t.Errorf("not found behind %d bytes", before)
		}
	}
}
