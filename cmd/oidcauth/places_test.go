package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// serve takes tokens from where its file says, and from nowhere else.
func TestServe_TokenPlaces(t *testing.T) {
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	const protocol, assertion = "Sec-WebSocket-Protocol", "Cf-Access-Jwt-Assertion"
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	requests := map[string][]string{ // address, then headers
		"authorization": {"/v1/whoami", "Authorization", "Bearer " + token},
		"assertion":     {"/v1/whoami", assertion, token},
		"subprotocol":   {"/v1/whoami", protocol, "chat, bearer." + encoded},
		"prefix":        {"/v1/whoami", protocol, "base64.binary.k8s.io, base64url.bearer.authorization.k8s.io." + encoded},
		"name":          {"/v1/whoami", protocol, "bearer, " + token},
		"jwt":           {"/v1/whoami", protocol, token},
		"query":         {"/v1/whoami?token=" + token},
	}
	for places, accepted := range map[string]string{
		`{}`:                                 "authorization",
		`{"headers": ["` + assertion + `"]}`: "authorization assertion",
		`{"headers": ["` + assertion + `"], "ignore_authorization": true}`: "assertion",
		`{"subprotocol": true}`: "authorization subprotocol",
		`{"subprotocol_prefixes": ["base64url.bearer.authorization.k8s.io."]}`: "authorization prefix",
		`{"subprotocol_names": ["bearer"]}`:                                    "authorization name",
		`{"subprotocol_jwt": true}`:                                            "authorization jwt name", // it is the one that is a JWT
		`{"query": "token"}`:                                                   "authorization query",
	} {
		file := writeFile(t, "config.json", fmt.Sprintf(
			`{"issuers": [{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}}], "token_places": %s}`, iss.URL(), places))
		s := serve(t, "--config", file)
		for name, request := range requests {
			want := http.StatusUnauthorized
			if strings.Contains(" "+accepted+" ", " "+name+" ") {
				want = http.StatusOK
			}
			if got := s.do(t, http.MethodGet, request[0], "", request[1:]...); got.status != want {
				t.Errorf("%s: the token in %s: status %d, want %d", places, name, got.status, want)
			}
		}
	}
}

// Places that cannot be are errors at the start.
func TestServe_TokenPlacesThatCannotBe(t *testing.T) {
	for places, want := range map[string]string{
		`{"ignore_authorization": true}`:     "nothing else is named",
		`{"headers": ["Authorization"]}`:     "HeaderToken",
		`{"subprotocol_prefixes": [""]}`:     "subprotocol_jwt",
		`{"subprotocol_names": [""]}`:        "SubprotocolForm",
		`{"subprotocols": true}`:             `token_places.subprotocols: there is no such member; did you mean subprotocol?`,
		`{"headers": "X-Token"}`:             `token_places.headers: got a text, want a list`,
		`{"subprotocol_prefixes": ["a, b"]}`: "SubprotocolForm",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://id.example.com", "audiences": ["a"]}], "token_places": `+places+`}`)
		got := invoke(t, "", "serve", "--addr", "127.0.0.1:0", "--config", file)
		if got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit code %d, %s; want 2 and %q", places, got.code, got.err, want)
		}
	}
}
