package guard_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/guard"
)

// What is written in vain is an error, and none of it was written.
func TestWriter_Forbidden(t *testing.T) {
	t.Parallel()
	type result struct {
		n   int64
		err error
	}
	results := make(chan result, 3)
	s := newServer(t, false, map[string]http.HandlerFunc{"/forgets": func(w http.ResponseWriter, _ *http.Request) {
		n, err := w.Write([]byte("secret"))
		results <- result{int64(n), err}
		n, err = io.WriteString(w, "secret")
		results <- result{int64(n), err}
		more, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("secret"))
		results <- result{more, err}
	}})
	s.get(t, "/forgets", s.token)
	for range cap(results) {
		if got := <-results; got.n != 0 || got.err == nil {
			t.Errorf("%d bytes were written, error = %v, want none and one", got.n, got.err)
		}
	}
}

// adding is a writer further out that adds to the header once an answer has begun.
type adding struct{ *httptest.ResponseRecorder }

func (a adding) Write(p []byte) (int, error) {
	if a.Body.Len() == 0 {
		defer a.Header().Set("X-Adding", "1")
	}
	return a.ResponseRecorder.Write(p)
}

// The header is handed on once, with the answer: not with what comes before it, and no
// more once it was sent.
func TestWriter_Header(t *testing.T) {
	t.Parallel()
	var left http.Header
	under := adding{httptest.NewRecorder()}
	guard.Handler(nil, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard.Public(r.Context())
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Answer", "1")
		w.Write([]byte("a"))
		w.Write([]byte("b"))
		left = under.Header().Clone()
	})).ServeHTTP(under, httptest.NewRequest("GET", "/", nil))
	if left.Get("X-Answer") != "1" || left.Get("X-Adding") != "1" {
		t.Errorf("header %v, want both", left)
	}
}

// Who asks the writer itself whether the client has left is told, as by those of net/http.
func TestWriter_CloseNotify(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		left := make(chan bool, 1)
		s := newServer(t, http2, map[string]http.HandlerFunc{"/events": func(w http.ResponseWriter, r *http.Request) {
			guard.Public(r.Context())
			http.NewResponseController(w).Flush()
			notifier, is := w.(interface{ CloseNotify() <-chan bool })
			if !is {
				left <- false
				return
			}
			told := notifier.CloseNotify()
			if notifier.CloseNotify() != told {
				t.Errorf("HTTP/2 %v: each question has a channel of its own, and all are kept", http2)
			}
			left <- <-told
		}})
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/events", nil)
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if !<-left {
			t.Errorf("HTTP/2 %v: the handler is not told", http2)
		}
		answer.Body.Close()
	}
}
