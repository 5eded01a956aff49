package localissuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
)

// errorsOf are what the methods of an issuer say.
func errorsOf(ctx context.Context, l *localissuer.Issuer) map[string]error {
	said := make(map[string]error)
	_, _, said["Issue"] = l.Issue(ctx, localissuer.Request{Subject: "alice"})
	_, said["Import"] = l.Import(ctx, nil)
	said["Remove"] = l.Remove(ctx, "")
	said["Rotate"] = l.Rotate(ctx)
	return said
}

// An issuer that New did not make issues nothing, and nobody can trust it.
func TestIssuer_NotMade(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*localissuer.Issuer{"zero": new(localissuer.Issuer), "nil": nil} {
		said := errorsOf(t.Context(), l)
		_, said["Follow"] = l.Follow(func(oidcauth.Keys) error { t.Error("keys of nobody"); return nil })
		_, said["PublicPEM"] = l.PublicPEM()
		_, said["Ticket"] = l.Ticket(httptest.NewRequest("GET", "/", nil), nil, "db")
		for method, err := range said {
			if !errors.Is(err, oidcauth.ErrClosed) {
				t.Errorf("%s: %s() error = %v, want %v", name, method, err, oidcauth.ErrClosed)
			}
		}
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
		l.Refresh()
		if w.Code != 503 || len(l.Keys()) > 0 || l.URL() != "" || l.Close() != nil {
			t.Errorf("%s: Handler answers %d, %d keys, URL %q", name, w.Code, len(l.Keys()), l.URL())
		}
		for _, i := range []oidcauth.Issuer{l.Issuer(), {URL: "https://db.test", Audiences: []string{"db"}, Keys: oidcauth.KeysFrom{Source: l}}} {
			if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}}); err == nil {
				a.Close()
				t.Errorf("%s: New() trusts it as %q", name, i.URL)
			}
		}
	}
}

// A nil context is an error, and changes no key.
func TestIssuer_NilContext(t *testing.T) {
	t.Parallel()
	l, err := localissuer.New(localissuer.Config{URL: "https://db.test", Audiences: []string{"db"}, Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	keys := len(l.Keys())
	var none context.Context
	for method, err := range errorsOf(none, l) {
		if !errors.Is(err, oidcauth.ErrMalformedRequest) {
			t.Errorf("%s() error = %v, want %v", method, err, oidcauth.ErrMalformedRequest)
		}
	}
	if _, err := l.Follow(nil); err == nil || len(l.Keys()) != keys {
		t.Errorf("Follow(nil) error = %v, %d keys", err, len(l.Keys()))
	}
}

// Where the caller has gone, nothing is issued.
func TestIssuer_EndedContext(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for ctx, want := range map[context.Context]error{t.Context(): nil, ended: context.Canceled} {
		token, id, err := l.Issue(ctx, localissuer.Request{})
		if !errors.Is(err, want) || (token == "") != (want != nil) || id.IsZero() != (want != nil) {
			t.Errorf("Issue() = %d bytes for %v, error %v, want %v", len(token), id, err, want)
		}
	}
}

// A configuration that is printed keeps its secrets to itself, and says the rest.
func TestConfig_Format(t *testing.T) {
	t.Parallel()
	cfg := localissuer.Config{URL: "https://db.test", Signer: newKey(t), TicketSecret: []byte("a secret of thirty-two bytes, or more")}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		got := fmt.Sprintf(verb, cfg)
		if !strings.Contains(got, cfg.URL) {
			t.Errorf("%s prints %s, want the URL, too", verb, got)
		}
		for _, secret := range []string{string(cfg.TicketSecret), fmt.Sprintf(verb, cfg.TicketSecret), "PrivateKey"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s prints a secret: %s", verb, got)
			}
		}
	}
}

// A badHandler is one of a log that panics.
type badHandler struct{ slog.Handler }

func (badHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (badHandler) Handle(context.Context, slog.Record) error { panic("of Handle") }

// A log that panics keeps nobody from changing keys.
func TestConfig_LoggerPanics(t *testing.T) {
	t.Parallel()
	l, err := localissuer.New(localissuer.Config{
		URL: "https://db.test", Audiences: []string{"db"}, Dir: filepath.Join(t.TempDir(), "keys"),
		Logger: slog.New(badHandler{slog.DiscardHandler}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		if err := l.Rotate(t.Context()); err != nil {
			t.Errorf("Rotate() error = %v", err)
		}
	}
}

// A badSigner signs with a key, unless it does something else.
type badSigner struct {
	*ecdsa.PrivateKey
	sign func() ([]byte, error)
}

func (s *badSigner) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if s.sign != nil {
		return s.sign()
	}
	return s.PrivateKey.Sign(random, digest, o)
}

// A nilError panics, where it is nil, when it is asked what it wraps.
type nilError struct{ cause error }

func (e *nilError) Error() string { return e.cause.Error() }
func (e *nilError) Unwrap() error { return e.cause }

// Whatever a signer does, no token comes of it that is none.
func TestConfig_SignerFails(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	errOwn := errors.New("the signer's own")
	for name, tt := range map[string]struct {
		signer  crypto.Signer
		made    bool
		issues  bool
		because error
	}{
		"a key":                     {signer: key, made: true, issues: true},
		"one that signs":            {signer: &badSigner{PrivateKey: key}, made: true, issues: true},
		"one that panics":           {signer: &badSigner{key, func() ([]byte, error) { panic("of the signer") }}, made: true},
		"one that fails":            {signer: &badSigner{key, func() ([]byte, error) { return nil, errOwn }}, made: true, because: errOwn},
		"one that fails with nil":   {signer: &badSigner{key, func() ([]byte, error) { return nil, (*nilError)(nil) }}, made: true},
		"one that returns nothing":  {signer: &badSigner{key, func() ([]byte, error) { return nil, nil }}, made: true},
		"one that returns nonsense": {signer: &badSigner{key, func() ([]byte, error) { return []byte("nonsense"), nil }}, made: true},
		"a nil key":                 {signer: (*ecdsa.PrivateKey)(nil)},
		"a nil pointer":             {signer: (*badSigner)(nil)},
		"one without a key":         {signer: new(badSigner)},
	} {
		l, err := localissuer.New(localissuer.Config{URL: "https://db.test", Audiences: []string{"db"}, Signer: tt.signer, TicketSecret: make([]byte, 32)})
		if (err == nil) != tt.made {
			t.Errorf("%s: New() error = %v", name, err)
		}
		if err != nil {
			continue
		}
		token, _, err := l.Issue(t.Context(), localissuer.Request{Subject: "alice"})
		if (err == nil) != tt.issues || (token != "") != tt.issues || tt.because != nil && !errors.Is(err, tt.because) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: Issue() = %d bytes, %v", name, len(token), err)
		}
		l.Close()
	}
}

// An issuer that was closed is let go of, with its private keys: no timer keeps it.
func TestClose_KeepsNothing(t *testing.T) {
	kept := func() weak.Pointer[localissuer.Issuer] {
		l, err := localissuer.New(localissuer.Config{Dir: t.TempDir() + "/keys", URL: "https://db.test", Audiences: []string{"my-db"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(l)
	}()
	for closed := time.Now(); kept.Value() != nil; runtime.GC() {
		if time.Since(closed) > 4*time.Second { // less than until the watch would have looked again
			t.Fatal("after Close the issuer is still reachable")
		}
	}
}
