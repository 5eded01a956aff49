package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// BenchmarkServe compares requests over loopback connections that are
// authenticated with the same answers of a server that asks nobody who they are.
func BenchmarkServe(b *testing.B) {
	iss := oidctest.NewIssuer(b, oidctest.Config{})
	s, err := newServer(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{JWKS: iss.KeySet()}}},
		Logger:  slog.New(slog.DiscardHandler),
	}, new(fileConfig), "")
	if err != nil {
		b.Fatal(err)
	}
	defer s.auth.Close()
	token := iss.Token(map[string]any{"aud": "my-db"})
	claims, err := s.auth.Authenticate(b.Context(), token)
	if err != nil {
		b.Fatal(err)
	}
	bare := http.NewServeMux()
	bare.HandleFunc("GET /v1/whoami", func(w http.ResponseWriter, r *http.Request) { whoami(w, r, claims) })
	for _, test := range []struct {
		name    string
		handler http.Handler
	}{{"authenticated", s.handler()}, {"bare", bare}} {
		b.Run(test.name, func(b *testing.B) {
			srv := httptest.NewServer(test.handler)
			defer srv.Close()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: new(http.Transport)}
				for pb.Next() {
					askOnce(b, client, srv.URL+"/v1/whoami", token)
				}
				client.CloseIdleConnections()
			})
		})
	}
}

func askOnce(b *testing.B, client *http.Client, url, token string) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		b.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || n == 0 {
		b.Errorf("status = %d, %d bytes, %v", resp.StatusCode, n, err)
	}
}
