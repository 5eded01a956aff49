package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

const (
	workers    = 16
	roomyCache = 1 << 30
	patience   = 60 * time.Second
)

// configuration returns a configuration file. No cacheBytes means the default.
func configuration(urls []string, cacheBytes int) []byte {
	issuers := make([]map[string]any, len(urls))
	for n, url := range urls {
		issuers[n] = map[string]any{"url": url, "audiences": []string{idp.Audience}}
	}
	file := map[string]any{"issuers": issuers}
	if cacheBytes > 0 {
		file["cache_bytes"] = cacheBytes
	}
	text, err := json.Marshal(file)
	if err != nil {
		panic(err) // of maps, strings and numbers
	}
	return text
}

// ready waits until the server has the keys of every issuer.
func (on *scene) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		status, err := on.get(ctx, "/readyz", "")
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: status %d, %w", status, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// show presents tokens 0 to count - 1, each of which must be accepted.
func (on *scene) show(ctx context.Context, token func(n int) string, count int) error {
	faults := make([]error, workers)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for n := worker; n < count && faults[worker] == nil; n += workers {
				status, err := on.get(ctx, "/v1/whoami", token(n))
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("a good token: got status %d, want 200", status)
				}
				faults[worker] = err
			}
		})
	}
	wg.Wait()
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}

func (on *scene) get(ctx context.Context, path, token string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, on.url+path, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// issuers are very many issuers, with the keys of one.
type issuers struct {
	*httptest.Server
	keys *idp.Issuer
	urls []string
}

func serveIssuers(keys *idp.Issuer, count int) *issuers {
	i := &issuers{keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{n}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		url := i.URL + "/" + r.PathValue("n")
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"issuer": url, "jwks_uri": url + "/jwks"})
	})
	mux.HandleFunc("GET /{n}/jwks", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/jwks"
		keys.ServeHTTP(w, r)
	})
	i.Server = httptest.NewServer(mux)
	for n := range count {
		i.urls = append(i.urls, i.URL+"/"+strconv.Itoa(n))
	}
	return i
}

// token returns a token of issuer n.
func (i *issuers) token(n int) string {
	payload := strings.Replace(i.keys.Payload(n), strconv.Quote(i.keys.URL), strconv.Quote(i.urls[n]), 1)
	token, err := i.keys.Key(idp.RS256).Sign(i.keys.Header(idp.RS256), payload)
	if err != nil {
		panic(err) // of a key that signs
	}
	return token
}
