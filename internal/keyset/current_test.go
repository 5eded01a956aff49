package keyset_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// While a key gives its place to another, whoever asks which that is waits for it: what
// is seen at that moment must end no session.
func TestKey_CurrentMeanwhile(t *testing.T) {
	t.Parallel()
	s, err := keyset.New(keyset.Config{Issuer: "x", Fixed: []byte(jwks(fastKey("a", 0)))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k := mustKeys(t, s, "a")[0]
	release := keyset.HoldDiscard(s)
	go func() {
		if err := s.Adopt([]byte(jwks(`{"use":"sig",` + fastKey("a", 0)[1:]))); err != nil {
			t.Error(err)
		}
	}()
	for k.Live(time.Now()) {
		runtime.Gosched()
	}
	got := make(chan *keyset.Key, 1)
	go func() { got <- k.Current("EdDSA", true) }()
	for range 1000 {
		runtime.Gosched() // so that who does not wait is too early
	}
	release()
	if now := <-got; now == nil || now == k {
		t.Errorf("Current() = %p, want another key than %p", now, k)
	}
}
