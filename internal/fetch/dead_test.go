package fetch_test

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// A relay hands bytes between clients and a server, until it forgets the connections that
// it has, as a router does: without a word to either side.
type relay struct {
	net.Listener
	to        string
	forgotten atomic.Int64 // connections up to this number
	accepted  atomic.Int64
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{Listener: l, to: to}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			n := r.accepted.Add(1)
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			go r.copy(server, client, n)
			go r.copy(client, server, n)
		}
	}()
	return r
}

func (r *relay) copy(to, from net.Conn, n int64) {
	defer to.Close()
	var buf [4 << 10]byte
	for {
		read, err := from.Read(buf[:])
		if err != nil {
			return
		}
		if n > r.forgotten.Load() {
			_, _ = to.Write(buf[:read])
		}
	}
}

func (r *relay) forget() { r.forgotten.Store(r.accepted.Load()) }

// authorityFile returns a file with the certificate that a server's leads to.
func authorityFile(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A connection over HTTP/2 that was forgotten on the way is not used for ever.
func TestNoticeDead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(document))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	authority := authorityFile(t, srv)
	trusting := func() *http.Transport {
		c := srv.Client().Transport.(*http.Transport).Clone()
		return &http.Transport{TLSClientConfig: c.TLSClientConfig, ForceAttemptHTTP2: true}
	}
	const limit = 400 * time.Millisecond
	for name, cfg := range map[string]fetch.Config{
		"a transport of its own":         {CAFile: authority},
		"one like the program's":         {CAFile: authority, HTTP: &http.Client{Transport: trusting()}},
		"one that connects to strangers": {PublicOnly: true, HTTP: &http.Client{Transport: trusting()}, Permit: func(netip.AddrPort) bool { return true }},
		"the program's that pings": {HTTP: &http.Client{Transport: func() *http.Transport {
			t := trusting()
			fetch.NoticeDead(t, limit)
			return t
		}()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, srv.Listener.Addr().String())
			cfg.Timeout = limit
			c := newClient(t, cfg)
			get := func() error {
				_, err := c.Get(t.Context(), "https://"+r.Addr().String()+"/", fetch.Request{})
				return fetch.Cause(err)
			}
			if err := get(); err != nil {
				t.Fatal(err)
			}
			r.forget()
			err := get()
			if err == nil {
				t.Fatal("an answer came over a connection that was forgotten")
			}
			for range 10 {
				if err = get(); err == nil {
					return
				}
			}
			t.Errorf("after ten requests: Get() error = %v", err)
		})
	}
}

// What a transport was told of pings is its own.
func TestNoticeDead_Told(t *testing.T) {
	t.Parallel()
	told := &http.HTTP2Config{SendPingTimeout: 3, PingTimeout: 4, MaxReadFrameSize: 1 << 20}
	for _, tt := range []struct{ given, want *http.HTTP2Config }{
		{nil, &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second}},
		{&http.HTTP2Config{MaxReadFrameSize: 1 << 20}, &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second, MaxReadFrameSize: 1 << 20}},
		{&http.HTTP2Config{PingTimeout: 4}, &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: 4}},
		{told, told},
	} {
		transport := &http.Transport{HTTP2: tt.given}
		fetch.NoticeDead(transport, 2*time.Second)
		if !reflect.DeepEqual(transport.HTTP2, tt.want) {
			t.Errorf("NoticeDead() of %+v = %+v, want %+v", tt.given, transport.HTTP2, tt.want)
		}
	}
	if own := fetch.OwnTransport(); own.HTTP2 == nil || own.HTTP2.SendPingTimeout == 0 {
		t.Error("the own transport notices nothing")
	}
}
