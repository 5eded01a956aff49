package oidctest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A gigabyte of white space in compressed form, which a client with a limit
// leaves early.
func TestFault_GzipBomb(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.Fail(oidctest.JWKS, oidctest.Fault{Gzip: true, Pad: 1 << 30})
	resp, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !resp.Uncompressed {
		t.Error("Uncompressed = false, want the client to have been tricked")
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); n != 1<<20 || err != nil {
		t.Errorf("read %d bytes, error = %v", n, err)
	}
}

func TestFault_GzipAsSent(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	iss.Fail(oidctest.JWKS, oidctest.Fault{Gzip: true, Pad: 1 << 20})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.JWKSURL(), nil)
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := iss.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Encoding") != "gzip" || len(raw) > 4096 {
		t.Errorf("Content-Encoding = %q, %d bytes, want a thousandth of a mebibyte", resp.Header.Get("Content-Encoding"), len(raw))
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil || len(body) != 1<<20+len(iss.KeySet()) {
		t.Errorf("%d bytes, error = %v", len(body), err)
	}
}
