// Command server is the smallest useful server: it writes for those who may write.
package main

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"

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
	log.Fatal(http.ListenAndServe("localhost:8080", routes(auth)))
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
