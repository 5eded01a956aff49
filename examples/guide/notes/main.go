// Command notes is a database server with one table: the guide builds it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A note belongs to whoever wrote it.
type note struct {
	Owner oidcauth.Identity `json:"owner"`
	Text  string            `json:"text"`
}

// A reducer changes the table for those whom its rule lets.
type reducer struct {
	allow oidcauth.Rule
	run   func(ctx context.Context, text string) (any, error)
}

// database is the table and what may be done with it.
type database struct {
	mu       sync.Mutex
	notes    []note
	reducers map[string]reducer
}

func newDatabase() *database {
	db := &database{}
	db.reducers = map[string]reducer{
		"add":   {oidcauth.HasRole("writer"), db.add},
		"clear": {oidcauth.HasRole("admin"), db.clear},
	}
	return db
}

func (db *database) add(ctx context.Context, text string) (any, error) {
	caller, known := oidcauth.FromContext(ctx)
	if !known {
		return nil, oidcauth.ErrNoToken // the server itself owns no notes
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.notes = append(db.notes, note{caller.Identity(), text})
	return db.notes[len(db.notes)-1], nil
}

func (db *database) clear(context.Context, string) (any, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.notes = nil
	return "cleared", nil
}

var errNoReducer = errors.New("no such reducer")

// call is the one way to a reducer, by HTTP, by WebSocket and from inside.
func (db *database) call(ctx context.Context, name, text string) (any, error) {
	r, found := db.reducers[name]
	if !found {
		return nil, errNoReducer
	}
	if err := oidcauth.Require(ctx, r.allow); err != nil {
		return nil, err
	}
	return r.run(ctx, text)
}

func routes(auth *oidcauth.Authenticator, db *database) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /call/{reducer}", auth.Middleware(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
			if err != nil {
				http.Error(w, "at most 4096 bytes", http.StatusBadRequest)
				return
			}
			result, err := db.call(r.Context(), r.PathValue("reducer"), string(text))
			switch {
			case errors.Is(err, errNoReducer):
				http.NotFound(w, r)
			case err != nil:
				auth.Refuse(w, r, err)
			default:
				json.NewEncoder(w).Encode(result)
			}
		})))
	return mux
}

func main() {
	issuer := flag.String("issuer", "", "the issuer, as \"iss\" in its tokens says (default: one for tests)")
	audience := flag.String("audience", "notes", "this server's name, as \"aud\" in the tokens says")
	flag.Parse()

	description := oidcauth.Issuer{URL: *issuer, Audiences: []string{*audience}}
	if *issuer == "" {
		description = testIssuer(*audience)
	}
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{description},
		Logger:  slog.Default(), // says why a token was refused, and never the token
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	log.Print("listening on http://localhost:8080")
	server := &http.Server{
		Addr: "localhost:8080", Handler: routes(auth, newDatabase()),
		ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, // clients may say nothing
	}
	log.Print(server.ListenAndServe())
}

// testIssuer starts an issuer that knows two people, and says how to get their tokens.
func testIssuer(audience string) oidcauth.Issuer {
	var issuer *oidctest.Issuer
	tokens := http.NewServeMux()
	for name, roles := range map[string][]string{"alice": {"writer"}, "bob": nil} {
		tokens.HandleFunc("GET /token/"+name, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, issuer.Token(map[string]any{"sub": name, "aud": audience, "roles": roles}))
		})
	}
	issuer = oidctest.NewIssuer(nil, oidctest.Config{Other: tokens})
	issuer.Start()
	for _, name := range []string{"alice", "bob"} {
		fmt.Printf("%s=$(curl -s %s/token/%s)\n", name, issuer.URL(), name)
	}
	return oidcauth.Issuer{
		URL: issuer.URL(), Audiences: []string{audience},
		Keys: oidcauth.KeysFrom{InsecureHTTP: true}, // on the loopback interface only
	}
}
