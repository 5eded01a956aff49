package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// TestHold_ServerCannotTell: a server that cannot tell for a moment what a token is worth,
// or what its bearer may, is asked again on the same socket.
func TestHold_ServerCannotTell(t *testing.T) {
	t.Parallel()
	over, finish := context.WithCancel(t.Context())
	var mu sync.Mutex // guards what the server has seen
	sockets := 0
	var renewals []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		sockets++
		mu.Unlock()
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{database.Subprotocol}})
		if err != nil {
			return
		}
		defer conn.CloseNow()
		answered := map[bool]int{} // by whether it was a renewal
		for {
			var frame database.Frame
			if wsjson.Read(r.Context(), conn, &frame) != nil {
				return
			}
			renewal := frame.Renew != ""
			if renewal {
				mu.Lock()
				renewals = append(renewals, frame.Renew)
				mu.Unlock()
			}
			status := http.StatusOK
			if answered[renewal]++; answered[renewal] < 3 {
				status = http.StatusServiceUnavailable
			}
			wsjson.Write(r.Context(), conn, database.Reply{ID: frame.ID, Status: status})
			if answered[true] >= 3 && answered[false] >= 3 {
				finish()
			}
		}
	}))
	defer server.Close()
	tokens := 0
	source := sourceFunc(func() (*oauth2.Token, error) {
		tokens++
		return &oauth2.Token{AccessToken: []string{"first", "second"}[min(tokens, 2)-1], Expiry: time.Now().Add(time.Hour)}, nil
	})
	service := &client{url: server.URL, source: source, early: 2 * time.Hour, pause: time.Millisecond}
	got, err := service.hold(over, time.Minute)
	if over.Err() == nil {
		t.Fatalf("hold() = %+v, %v, want that it goes on", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"second", "second", "second"}; sockets != 1 || !slices.Equal(renewals, want) {
		t.Errorf("got renewals by %q on %d sockets, want %q on one", renewals, sockets, want)
	}
}
