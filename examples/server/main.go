// Command server is the smallest useful server: it writes for those who may write.
package main

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
)

func main() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL:       "https://login.example.com", // "iss" of the tokens, to the last slash
			Audiences: []string{"my-db"},           // "aud": the name it knows this server by
		}},
		Logger: slog.Default(), // says why a token was refused, and never the token
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr: "localhost:8080", Handler: routes(auth),
		ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, // clients may say nothing
	}
	log.Fatal(server.ListenAndServe())
}

func routes(auth *oidcauth.Authenticator) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/call/send", auth.Middleware(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if err := oidcauth.Require(r.Context(), oidcauth.HasRole("writer")); err != nil {
				auth.Refuse(w, r, err)
				return
			}
			caller, _ := oidcauth.FromContext(r.Context())
			fmt.Fprintln(w, "written for", caller.Identity())
		})))
	return mux
}
