package streams_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/streams"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestEvents: a stream ends with its token, and those that are left do not hold up the
// server's end, at which requests under way are answered all the same.
func TestEvents(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	stopping, stop := context.WithCancel(t.Context())
	events, begun, finish := make(chan string), make(chan bool), make(chan bool)
	mux := http.NewServeMux()
	mux.Handle("GET /events", streams.Events(auth, stopping, events))
	late := auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "in time") }))
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-finish
		late.ServeHTTP(w, r) // its token is judged after the server has begun to stop
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	get := func(path, subject string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
		if err != nil {
			t.Error(err)
		}
		r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": subject}))
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return &http.Response{Body: http.NoBody}
		}
		return response
	}
	alice := get("/events", "alice")
	events <- "hello"
	if line, err := bufio.NewReader(alice.Body).ReadString('\n'); line != "data: hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(alice.Body); err != nil { // ends
		t.Errorf("the stream of a token that was revoked: %v", err)
	}
	bob := get("/events", "bob")
	answer := make(chan string)
	go func() {
		body, _ := io.ReadAll(get("/slow", "bob").Body)
		answer <- string(body)
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stopped := make(chan error)
	go func() { stopped <- streams.Stop(ctx, server.Config, stop, auth) }()
	if _, err := io.ReadAll(bob.Body); err != nil { // ends
		t.Errorf("the stream of a server that stops: %v", err)
	}
	finish <- true
	if got := <-answer; got != "in time" {
		t.Errorf("a request under way was answered %q", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() error = %v", err)
	}
}

// A writer calls a function for each event that is sent.
type writer struct {
	*httptest.ResponseRecorder
	sent func()
}

func (w writer) Write(p []byte) (int, error) {
	w.sent()
	return len(p), nil
}

// TestEvents_Revoked: no event is sent once the caller's token is revoked, however many
// are there.
func TestEvents_Revoked(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	for i := range 20 { // select takes any of what is ready
		subject, events := fmt.Sprint("alice-", i), make(chan string, 10)
		for range cap(events) {
			events <- "event"
		}
		sent := 0
		w := writer{httptest.NewRecorder(), func() {
			sent++
			if err := auth.Revoke(t.Context(), oidcauth.Revocation{Subject: subject}); err != nil {
				t.Error(err)
			}
		}}
		r := httptest.NewRequest("GET", "/events", nil)
		r.Header.Set("Authorization", "Bearer "+issuer.Token(map[string]any{"sub": subject}))
		streams.Events(auth, t.Context(), events).ServeHTTP(w, r)
		if sent != 1 {
			t.Fatalf("%d events were sent, want one", sent)
		}
	}
}

// TestEvents_Lines: an event with several lines is one event, whichever way they end: what
// somebody wrote is not to begin an event of its own.
func TestEvents_Lines(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	stopping, stop := context.WithCancel(t.Context())
	events := make(chan string)
	server := httptest.NewServer(streams.Events(auth, stopping, events))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+issuer.Token(nil))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events <- "one\n\nevent: granted\rdata: all\r\nend"
	stop()
	const want = "data: one\ndata: \ndata: event: granted\ndata: data: all\ndata: end\n\n"
	if body, err := io.ReadAll(response.Body); string(body) != want {
		t.Errorf("got %q, %v, want %q", body, err, want)
	}
}

// TestEvents_NoMore: a channel that is closed ends the stream, and is not told of as events
// without end.
func TestEvents_NoMore(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	events := make(chan string, 1)
	events <- "event"
	close(events)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	sent := 0
	w := writer{httptest.NewRecorder(), func() {
		if sent++; sent == 2 {
			leave()
		}
	}}
	r := httptest.NewRequestWithContext(ctx, "GET", "/events", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Token(nil))
	streams.Events(auth, ctx, events).ServeHTTP(w, r)
	if sent != 1 {
		t.Errorf("%d events were sent, want the one there was", sent)
	}
}

// TestEvents_Quiet: a stream without events for a while goes on, over HTTP/2 as well, where
// a time limit for writing ends a stream that writes nothing.
func TestEvents_Quiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth, issuer := newAuth(t)
		events := make(chan string)
		server, client := listen(streams.Events(auth, t.Context(), events))
		defer server.Close()
		defer client.CloseIdleConnections()
		response := request(t, client, "GET", issuer.Token(nil), nil)
		defer response.Body.Close()
		lines := bufio.NewReader(response.Body)
		for _, event := range []string{"one", "two"} {
			select {
			case events <- event:
			case <-time.After(time.Second):
				t.Fatalf("nobody takes %q", event)
			}
			if line, err := lines.ReadString('\n'); line != "data: "+event+"\n" {
				t.Errorf("got %q, %v, want %q", line, err, event)
			}
			lines.ReadString('\n') // the event's end
			time.Sleep(20 * time.Minute)
		}
	})
}

// TestEvents_Deaf: a client that takes nothing is not waited for.
func TestEvents_Deaf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		auth, issuer := newAuth(t)
		events, ended := make(chan string), make(chan bool)
		handler := streams.Events(auth, t.Context(), events)
		server, client := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			handler.ServeHTTP(w, r)
		}))
		defer server.Close()
		defer client.CloseIdleConnections()
		response := request(t, client, "GET", issuer.Token(nil), nil)
		defer response.Body.Close()
		event := strings.Repeat("x", 1<<20)
		for range 100 { // of which HTTP/2 takes a few on its own
			select {
			case events <- event:
			case <-ended:
				return
			case <-time.After(11 * time.Second):
				t.Fatal("the handler waits for a client that takes nothing")
			}
		}
		t.Error("100 MiB were sent to a client that takes nothing")
	})
}
