package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// keys are private keys of each kind.
func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	made := make(map[string]crypto.Signer)
	for _, bits := range []int{2048, 3072} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		made[fmt.Sprint("RSA ", bits)] = key
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made[curve.Params().Name] = key
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made["Ed25519"] = key
	return made
}

// wants fails the test unless something is found in a text, if that is wanted.
func wants(t *testing.T, name, text string, want bool) {
	t.Helper()
	if got := find([]byte(text)); (len(got) > 0) != want {
		t.Errorf("%s: found %q, want %t", name, got, want)
	}
}

// Private keys are found in each form that they are kept in, and public ones are not.
func TestFind_PrivateKeys(t *testing.T) {
	t.Parallel()
	for name, key := range keys(t) {
		forms := map[string][]byte{}
		var err error
		if forms["PRIVATE KEY"], err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
		switch k := key.(type) {
		case *rsa.PrivateKey:
			forms["RSA PRIVATE KEY"] = x509.MarshalPKCS1PrivateKey(k)
		case *ecdsa.PrivateKey:
			if forms["EC PRIVATE KEY"], err = x509.MarshalECPrivateKey(k); err != nil {
				t.Fatal(err)
			}
		}
		for kind, der := range forms {
			text := string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
			lines := strings.SplitAfterN(text, "\n", 3)
			wants(t, name+": the first line of "+kind, lines[0], true)
			wants(t, name+": the second line of "+kind, lines[1], true)
			wants(t, name+": quoted "+kind, fmt.Sprintf("%q", text), true)
			wants(t, name+": DER", base64.StdEncoding.EncodeToString(der), true)
		}
		private, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		public, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		inPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		for form, text := range map[string]func([]byte) string{
			"a JWK":           func(b []byte) string { return string(b) },
			"a quoted JWK":    func(b []byte) string { return fmt.Sprintf("%q", b) },
			"a JWK in base64": func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) },
			"an indented JWK": func(b []byte) string { return strings.ReplaceAll(string(b), `":"`, `": "`) },
		} {
			wants(t, name+": "+form, text(private), true)
			wants(t, name+": "+form+", public", text(public), false)
		}
		for _, line := range append(strings.Split(inPEM, "\n"), inPEM, fmt.Sprintf("%q", inPEM)) {
			wants(t, name+": public "+line, line, false)
		}
		if k, ok := key.(*ecdsa.PrivateKey); ok {
			wants(t, name+": as package fmt prints it", fmt.Sprintf("%+v", k), true)
			wants(t, name+": as package fmt prints the public key", fmt.Sprintf("%+v", k.PublicKey), false)
		}
	}
	wants(t, "a symmetric key", `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}`, true)
	wants(t, "a seed of NATS", "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", true)
	wants(t, "a public key of NATS", "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4", false)
}

// What stands alone of a token, or never had its form.
func TestFind_Parts(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		token := issuer.NewKey(oidctest.KeyConfig{Algorithm: alg}).Token(nil)
		_, signature, _ := strings.Cut(token[strings.IndexByte(token, '.')+1:], ".")
		wants(t, alg+": a signature", "got "+signature+", want another", true)
		wants(t, alg+": a signature in JSON", `{"got":"`+signature+`"}`, true)
		wants(t, alg+": a signature behind a dot", "…."+signature, true)
	}
	digest := sha512.Sum512([]byte("x"))
	wants(t, "a digest", hex.EncodeToString(digest[:]), false)
	wants(t, "many of one letter", strings.Repeat("a", 86), false)
	wants(t, "a thumbprint", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", false)

	c := authtest.NewCounter(t)
	ticket := c.Buy(c.Issuer.Token(nil), authtest.Anywhere)
	_, signature, _ := strings.Cut(ticket[strings.IndexByte(ticket, '.')+1:], ".")
	wants(t, "a ticket", "/subscribe?token="+ticket, true)
	wants(t, "a ticket's signature", signature, true)
	wants(t, "a token of a local issuer", authtest.Issue(t, c.Local, localissuer.Request{}), true)
}

// Secrets of OAuth are found by the names that they go by.
func TestFind_OAuth(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery-staple"
	r, err := http.NewRequest(http.MethodGet, "https://issuer.test/?client_id=app", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("app", secret)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {"SplxlOBeZQQYbYS6WxSbIA"}, "client_id": {"app"}}
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"Basic":                                  {fmt.Sprint(r.Header), true},
		"Basic, which is a word":                 {"WWW-Authenticate: Basic realm=notes, or basic authentication", false},
		"Bearer":                                 {"Authorization: Bearer mF_9.B5f-4.1JqM-another", true},
		"Bearer in small letters":                {"authorization: bearer 2YotnFZFEjr1zCsicMWpAA", true},
		"Bearer, which is a word":                {`Bearer error="invalid_token", error_description="bearer authentication failed"`, false},
		"DPoP":                                   {`[DPoP 2YotnFZFEjr1zCsicMWpAA]`, true},
		"DPoP's algorithms":                      {`DPoP algs="ES256 ES384", error="use_dpop_nonce"`, false},
		"a form":                                 {url.Values{"client_secret": {secret}}.Encode(), true},
		"a form without it":                      {url.Values{"client_secret": {""}, "client_id": {secret}}.Encode(), false},
		"a code":                                 {"/callback?" + form.Encode(), true},
		"a code behind its state":                {"/callback?state=x&code=SplxlOBeZQQYbYS6WxSbIA", true},
		"a code that a person is told, a status": {"/enter?code=WDJB-MJHT code=INVALID_ARGUMENT_OF_CALL", false},
		"an answer":                              {`{"token_type":"Bearer","refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}`, true},
		"a quoted answer":                        {fmt.Sprintf("%q", `{"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}`), true},
		"an answer without it":                   {`{"token_type":"Bearer","scope":"refresh_token_of_others"}`, false},
		"a device code":                          {"device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS", true},
		"a verifier":                             {"code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", true},
		"its challenge":                          {"code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", false},
		"an assertion":                           {"client_assertion=PHNhbWxwOl-of-SAML", true},
		"its type":                               {"client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer", false},
		"a field":                                {fmt.Sprintf("%+v", struct{ ClientID, ClientSecret string }{"app", secret}), true},
		"a field in Go":                          {fmt.Sprintf("%#v", struct{ ClientSecret string }{secret}), true},
		"a field that is empty":                  {fmt.Sprintf("%+v", struct{ ClientSecret, ClientSecretFile string }{}), false},
		"the name of a file":                     {`{"client_secret_file": "/run/credentials/oidcauth/secret"}`, false},
		"what lacks":                             {"client_secret: want one", false},
	} {
		wants(t, name, tt.text, tt.want)
	}
}

// A secret without form is found in whatever form it is said, if a test has noted it,
// from either end; its digest and what is like it are not.
func TestKnown(t *testing.T) {
	t.Parallel()
	const secret = "correct horse, battery & staple/42"
	dir := t.TempDir()
	line, err := json.Marshal(said.Noted{Kind: "password", Value: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"+said.SecretsSuffix), append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	k, n, err := load(dir)
	if err != nil || n != 1 {
		t.Fatalf("load() = %d, %v", n, err)
	}
	in64 := base64.StdEncoding.EncodeToString
	digest := sha512.Sum512([]byte(secret))
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"itself":                {"got " + secret, true},
		"its beginning":         {"got " + secret[:16] + "…", true},
		"its end":               {"…" + secret[len(secret)-16:], true},
		"quoted":                {fmt.Sprintf("%q", secret), true},
		"in JSON":               {`{"p":"` + secret + `"}`, true},
		"in a form":             {url.Values{"p": {secret}}.Encode(), true},
		"in a path":             {"/" + url.PathEscape(secret), true},
		"all of it escaped":     {strings.ReplaceAll(fmt.Sprintf("% x", secret), " ", "%"), true},
		"escaped by capitals":   {strings.ReplaceAll(fmt.Sprintf("% X", secret), " ", "%"), true},
		"in hexadecimal":        {fmt.Sprintf("%x", secret), true},
		"in capital hex":        {fmt.Sprintf("%X", secret), true},
		"in base64":             {in64([]byte(secret)), true},
		"in base64, behind one": {in64([]byte(":" + secret + ":")), true},
		"in base64, behind two": {in64([]byte("a:" + secret)), true},
		"in Basic credentials":  {in64([]byte("app:" + secret)), true},
		"as bytes":              {fmt.Sprintf("%v", []byte(secret)), true},
		"as bytes in Go":        {fmt.Sprintf("%#v", []byte(secret)), true},
		"as bytes in a struct":  {fmt.Sprintf("%+v", struct{ b []byte }{[]byte(secret)}), true},
		"nine bytes in Go":      {fmt.Sprintf("%#v", []byte(secret[:9])), true},
		"the last nine in Go":   {fmt.Sprintf("%#v", []byte(secret[len(secret)-9:])), true},
		"three bytes in Go":     {fmt.Sprintf("%#v", []byte(secret[:3])), false},
		"the last three in Go":  {fmt.Sprintf("%#v", []byte(secret[len(secret)-3:])), false},
		"fifteen bytes of it":   {secret[:15], false},
		"its digest":            {hex.EncodeToString(digest[:]) + in64(digest[:]), false},
		"another":               {"correct house, battery & staple/43", false},
		"nothing":               {"", false},
	} {
		if got := k.find([]byte(tt.text)); (len(got) > 0) != tt.want {
			t.Errorf("%s: found %q, want %t", name, got, tt.want)
		}
		for _, found := range k.find([]byte(tt.text)) {
			if text := report("x", found, tt.text)[0]; len(k.find([]byte(text))) > 0 || strings.Contains(text, "battery") {
				t.Errorf("%s: the report has it", name)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "y"+said.SecretsSuffix), []byte(`{"Kind":"x","Value":"eA=="}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(dir); err == nil {
		t.Error("load() of a secret that any text has = nil")
	}
}

// Private keys that a test noted are found as numbers, too.
func TestKnown_PrivateKeys(t *testing.T) {
	t.Parallel()
	for name, key := range keys(t) {
		k := &known{forms: make(map[uint64][]leak)}
		for _, form := range said.FormsOf(key) {
			k.add("private key", form)
		}
		for _, format := range []string{"%v", "%+v", "%#v"} {
			text := fmt.Sprintf(format, key)
			if rsaKey, ok := key.(*rsa.PrivateKey); ok { // whose numbers stand behind pointers
				text = fmt.Sprintf(format, rsaKey.D)
			}
			if ecKey, ok := key.(*ecdsa.PrivateKey); ok && format == "%#v" { // as well
				raw, err := ecKey.Bytes()
				must(t, err)
				text = fmt.Sprintf(format, new(big.Int).SetBytes(raw))
			}
			if len(k.find([]byte(text))) == 0 {
				t.Errorf("%s: %s is not found", name, format)
			}
		}
		if text := fmt.Sprint(key.Public()); len(k.find([]byte(text))) > 0 {
			t.Errorf("%s: the public key is found", name)
		}
	}
}
