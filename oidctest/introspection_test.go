package oidctest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// askAbout puts a question to the issuer.
func askAbout(t *testing.T, i *oidctest.Issuer, token string) (status int, answer string, err error) {
	t.Helper()
	resp, err := i.Client().PostForm(strings.TrimSuffix(i.URL(), "/")+"/introspect", url.Values{"token": {token}})
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(body)), err
}

// Times are answered as they are signed: in seconds.
func TestIssuer_OpaqueToken_Times(t *testing.T) {
	i := oidctest.NewIssuer(t, oidctest.Config{})
	at := time.Unix(1_900_000_000, 0)
	_, answer, err := askAbout(t, i, i.OpaqueToken(map[string]any{"exp": at, "nbf": at, "token_type": nil}))
	var said map[string]any
	if err != nil || json.Unmarshal([]byte(answer), &said) != nil {
		t.Fatalf("answer %s, %v", answer, err)
	}
	if _, typed := said["token_type"]; typed || said["exp"] != 1.9e9 || said["nbf"] != 1.9e9 || said["active"] != true {
		t.Errorf("answer %s, want seconds", answer)
	}
}

// An opaque token is what the issuer says of it, until that is something else.
func TestIssuer_OpaqueToken(t *testing.T) {
	i := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "db"}})
	token := i.OpaqueToken(map[string]any{"sub": "bob", "iat": nil})
	if !strings.HasPrefix(token, oidctest.OpaquePrefix) || token == i.OpaqueToken(nil) {
		t.Errorf("token %q", token)
	}
	_, answer, err := askAbout(t, i, token)
	var said map[string]any
	if err != nil || json.Unmarshal([]byte(answer), &said) != nil {
		t.Fatalf("answer %s, %v", answer, err)
	}
	if _, dated := said["iat"]; dated || said["active"] != true || said["sub"] != "bob" || said["aud"] != "db" || said["iss"] != i.URL() || said["token_type"] != "Bearer" {
		t.Errorf("answer %s", answer)
	}
	i.SetAnswer(token, `{"active": "true"}`)
	if _, answer, _ = askAbout(t, i, token); answer != `{"active": "true"}` {
		t.Errorf("answer %s, want the one that was set", answer)
	}
	i.SetAnswer(token, nil)
	if _, answer, _ = askAbout(t, i, token); answer != `{"active":false}` {
		t.Errorf("answer %s about a token that was ended", answer)
	}
	if n := i.Fetches().Introspection; n != 3 {
		t.Errorf("%d questions counted, want 3", n)
	}
	resp, err := i.Client().Get(strings.TrimSuffix(i.URL(), "/") + "/introspect?token=" + token)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a question in an address: status %d", resp.StatusCode)
	}
}

// TestIssuer_OpaqueToken_SharedCache: no cache on the way keeps what was answered to a POST,
// let alone to tell it of another token.
func TestIssuer_OpaqueToken_SharedCache(t *testing.T) {
	t.Parallel()
	i := oidctest.NewIssuer(t, oidctest.Config{})
	i.SetCaching(oidctest.Introspection, oidctest.Caching{Shared: true, MaxAge: time.Hour})
	if _, answer, err := askAbout(t, i, i.OpaqueToken(nil)); err != nil || !strings.Contains(answer, `"active":true`) {
		t.Errorf("answer %s, %v", answer, err)
	}
	if _, answer, err := askAbout(t, i, "another"); err != nil || answer != `{"active":false}` {
		t.Errorf("answer %s, %v about another token", answer, err)
	}
}

// The endpoint fails as the others do.
func TestIssuer_OpaqueToken_Faults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := oidctest.NewIssuer(t, oidctest.Config{})
		token := i.OpaqueToken(nil)
		i.FailNext(1, oidctest.Introspection, oidctest.Fault{Status: 503})
		if status, _, err := askAbout(t, i, token); status != 503 || err != nil {
			t.Errorf("status %d, %v, want 503", status, err)
		}
		i.FailNext(1, oidctest.Introspection, oidctest.Fault{Header: http.Header{"Content-Type": {"text/plain"}}})
		if status, answer, err := askAbout(t, i, token); status != 200 || !strings.Contains(answer, `"active":true`) || err != nil {
			t.Errorf("%d %s, %v, want the answer with another type", status, answer, err)
		}
		i.FailNext(1, oidctest.Introspection, oidctest.Fault{Delay: time.Minute})
		start := time.Now()
		if status, _, err := askAbout(t, i, token); status != 200 || err != nil || time.Since(start) != time.Minute {
			t.Errorf("status %d, %v, after %v", status, err, time.Since(start))
		}
		i.FailNext(1, oidctest.Introspection, oidctest.Fault{Refuse: true})
		if _, _, err := askAbout(t, i, token); err == nil {
			t.Error("want a refused connection")
		}
		i.FailNext(1, oidctest.Introspection, oidctest.Fault{Cut: true})
		if _, _, err := askAbout(t, i, token); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error = %v, want a body that breaks off", err)
		}
	})
}

// The waits of a fault end with a client that has sent a body, too.
func TestIssuer_OpaqueToken_FaultUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]oidctest.Fault{
		"late":                  {Delay: time.Hour},
		"hanging":               {Hang: true},
		"dripping":              {Drip: time.Minute},
		"stalled in the middle": {Stall: true},
	} {
		for _, body := range []io.Reader{strings.NewReader("token=x"), io.MultiReader(strings.NewReader("token=x"))} { // in chunks
			synctest.Test(t, func(t *testing.T) {
				i := oidctest.NewIssuer(t, oidctest.Config{})
				i.Fail(oidctest.Introspection, fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, i.URL()+"/introspect", body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := i.Client().Do(r)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: error = %v, want %v", name, err, context.DeadlineExceeded)
				}
				synctest.Wait()
				if v, c := i.Visits(), i.Conns(); v != 0 || c != 0 {
					t.Errorf("%s: %d requests and %d connections left, want none", name, v, c)
				}
			})
		}
	}
}

// What waits first hears the question, and answers it afterwards.
func TestIssuer_OpaqueToken_LateAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := oidctest.NewIssuer(t, oidctest.Config{})
		token := i.OpaqueToken(nil)
		for name, fault := range map[string]oidctest.Fault{
			"late":                 {Delay: time.Hour},
			"hanging":              {Hang: true},
			"dripping":             {Drip: time.Second},
			"late, with a header":  {Delay: time.Hour, Header: http.Header{"X-Test": {"1"}}},
			"stopped in the midst": {Stall: true},
		} {
			i.FailNext(1, oidctest.Introspection, fault)
			if fault.Hang || fault.Stall {
				time.AfterFunc(time.Hour, func() { i.Clear() })
			}
			if status, answer, err := askAbout(t, i, token); status != 200 || !strings.Contains(answer, `"active":true`) || err != nil {
				t.Errorf("%s: %d %s, %v", name, status, answer, err)
			}
		}
	})
}
