package spacetime_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth/spacetime"
)

// late is an answer that holds its header back until it is told to write it.
type late struct {
	socket
	code, written int
}

func (l *late) WriteHeader(code int) { l.code = code }
func (l *late) WriteHeaderNow()      { l.written = l.code }

// An answer that holds its header back writes it before the connection is taken over.
func TestUpgrade_LateHeader(t *testing.T) {
	t.Parallel()
	w := &late{socket: socket{httptest.NewRecorder()}}
	r := httptest.NewRequest("GET", "/v1/database/chat/subscribe", nil)
	r.Header = handshake()
	conn, _, err := spacetime.Upgrade(w, r, "v2.bsatn.spacetimedb")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if w.written != http.StatusSwitchingProtocols {
		t.Errorf("the header was written with %d, want 101", w.written)
	}
}
