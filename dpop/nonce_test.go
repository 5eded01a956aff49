package dpop_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A nonce counts for five minutes, at the servers that have its key, and not after a
// restart: the proof with it may have been used before.
func TestVerify_Nonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := oidctest.NewProver(t, ""), []byte(said.NewSecret("nonce key"))
		own := newVerifier(t, dpop.Config{Nonces: true})
		one, other := newVerifier(t, dpop.Config{Nonces: true, NonceKey: key}), newVerifier(t, dpop.Config{Nonces: true, NonceKey: key})
		stranger := newVerifier(t, dpop.Config{Nonces: true, NonceKey: append([]byte{1}, key...)})
		try := func(name string, v *dpop.Verifier, nonce string, want error) {
			t.Helper()
			var claims map[string]any
			if nonce != "" {
				claims = map[string]any{"nonce": nonce}
			}
			if err := verify(t, v, use(p, p.Proof("POST", target, token, claims))); !errors.Is(err, want) {
				t.Errorf("%s: Verify() error = %v, want %v", name, err, want)
			}
		}
		mine, ours := own.Nonce(), one.Nonce()
		try("no nonce", own, "", dpop.ErrUseNonce)
		try("its own", own, mine, nil)
		try("its own again", own, mine, nil)
		try("changed at its end", own, mine[:len(mine)-1]+other64(mine[len(mine)-1]), dpop.ErrUseNonce)
		try("changed at its beginning", own, other64(mine[0])+mine[1:], dpop.ErrUseNonce)
		try("longer", own, mine+"AAAA", dpop.ErrUseNonce)
		try("shorter", own, mine[:len(mine)-4], dpop.ErrUseNonce)
		try("of another key", own, ours, dpop.ErrUseNonce)
		try("of the same key", other, ours, nil)
		try("of nearly the same key", stranger, ours, dpop.ErrUseNonce)
		try("no base64", own, "!", dpop.ErrUseNonce)
		try("no base64 behind its own", own, mine+"!", dpop.ErrUseNonce)
		try("with a line end in it", own, mine[:8]+"\n"+mine[8:], dpop.ErrUseNonce)
		try("three bytes", own, "AAAA", dpop.ErrUseNonce)
		time.Sleep(time.Second)
		restarted := newVerifier(t, dpop.Config{Nonces: true, NonceKey: key})
		try("from before the start", restarted, ours, dpop.ErrUseNonce)
		try("after it", restarted, restarted.Nonce(), nil)
		store := newVerifier(t, dpop.Config{Nonces: true, NonceKey: key, Replays: &shared{used: map[[32]byte]bool{}}})
		try("from before the start, with a store that knows", store, ours, nil)
		time.Sleep(5*time.Minute - time.Second)
		try("after five minutes", other, ours, nil)
		time.Sleep(time.Second)
		try("later", other, ours, dpop.ErrUseNonce)
		if n := newVerifier(t, dpop.Config{}).Nonce(); n != "" {
			t.Errorf("Nonce() = %q where none are wanted", n)
		}
	})
}

// other64 returns a letter of base64url that is not this one.
func other64(letter byte) string {
	if letter == 'A' {
		return "B"
	}
	return "A"
}

// Servers whose clocks differ by half a minute take each other's nonces.
func TestVerify_NonceAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := oidctest.NewProver(t, ""), []byte(said.NewSecret("nonce key"))
		v := newVerifier(t, dpop.Config{Nonces: true, NonceKey: key})
		for ahead, want := range map[time.Duration]error{
			30 * time.Second: nil, 30*time.Second + time.Millisecond: dpop.ErrUseNonce,
		} {
			other := newVerifier(t, dpop.Config{Nonces: true, NonceKey: key, Now: func() time.Time { return time.Now().Add(ahead) }})
			if err := verify(t, v, use(p, p.Proof("POST", target, token, map[string]any{"nonce": other.Nonce()}))); !errors.Is(err, want) {
				t.Errorf("%v ahead: Verify() error = %v, want %v", ahead, err, want)
			}
		}
	})
}

// What this process has given itself, with a key of its own or for one session, was not
// used before it started, whatever its clock showed then: one that was ahead and is set
// right does not refuse everybody until it is as late again.
func TestVerify_ClockAheadAtStart(t *testing.T) {
	for _, tt := range []struct {
		name      string
		cfg       dpop.Config
		ofSession string
		want      error
	}{
		{"nonces of its own", dpop.Config{Nonces: true}, "", nil},
		{"a nonce of a session", dpop.Config{}, "of this socket", nil},
		{"a nonce of a session, beside shared ones", dpop.Config{Nonces: true, NonceKey: make([]byte, 32)}, "of this socket", nil},
		{"a store that knows", dpop.Config{Replays: &shared{used: map[[32]byte]bool{}}}, "", nil},
		{"no nonces", dpop.Config{}, "", dpop.ErrInvalidProof},
		{"shared nonces", dpop.Config{Nonces: true, NonceKey: make([]byte, 32)}, "", dpop.ErrInvalidProof},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, ahead := oidctest.NewProver(t, ""), 2*time.Hour
				tt.cfg.Now = func() time.Time { return time.Now().Add(ahead) }
				v := newVerifier(t, tt.cfg)
				early := v.Nonce()
				time.Sleep(time.Second)
				ahead = 0
				prove := func(nonce string) error {
					claims := map[string]any{}
					if nonce != "" {
						claims["nonce"] = nonce
					}
					u := use(p, p.Proof("POST", target, token, claims))
					u.Nonce = tt.ofSession
					return v.Verify(t.Context(), u)
				}
				nonce := v.Nonce()
				if tt.ofSession != "" {
					nonce = tt.ofSession
				}
				if err := prove(nonce); !errors.Is(err, tt.want) {
					t.Errorf("Verify() error = %v, want %v", err, tt.want)
				}
				if early != "" && tt.ofSession == "" && tt.want == nil {
					if err := prove(early); !errors.Is(err, dpop.ErrUseNonce) {
						t.Errorf("Verify() error = %v with a nonce from ahead, want %v", err, dpop.ErrUseNonce)
					}
				}
				time.Sleep(2 * time.Hour)
				if tt.ofSession == "" {
					nonce = v.Nonce()
				}
				if err := prove(nonce); err != nil {
					t.Errorf("Verify() error = %v once it is later than it was at the start", err)
				}
			})
		})
	}
}

// What a key makes stays the same from one version to the next, so that both can run in
// one cluster, and is made for nonces alone.
func TestNonce_KnownAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, dpop.Config{Nonces: true, NonceKey: make([]byte, 32)})
		if got, want := v.Nonce(), "AAAA3GrPrACcJ0roPNLWwdv1IowhCXfv"; got != want {
			t.Errorf("Nonce() = %q, want %q", got, want)
		}
	})
}

// The same proof at another server of the cluster: with nonces that each process makes
// for itself it is refused.
func TestVerify_NonceInCluster(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "")
	one, other := newVerifier(t, dpop.Config{Nonces: true}), newVerifier(t, dpop.Config{Nonces: true})
	proof := p.Proof("POST", target, token, map[string]any{"nonce": one.Nonce()})
	if err := verify(t, one, use(p, proof)); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, one, use(p, proof)); !errors.Is(err, dpop.ErrInvalidProof) {
		t.Errorf("Verify() error = %v for the second time, want %v", err, dpop.ErrInvalidProof)
	}
	if err := verify(t, other, use(p, proof)); !errors.Is(err, dpop.ErrUseNonce) {
		t.Errorf("Verify() error = %v elsewhere, want %v", err, dpop.ErrUseNonce)
	}
}

// A nonce that the caller says takes the place of the Verifier's.
func TestVerify_OneNonce(t *testing.T) {
	t.Parallel()
	p, v := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{Nonces: true})
	for _, tt := range []struct {
		nonce any
		want  error
	}{{"of this socket", nil}, {"of another", dpop.ErrUseNonce}, {v.Nonce(), dpop.ErrUseNonce}, {nil, dpop.ErrUseNonce}} {
		u := use(p, p.Proof("POST", target, token, map[string]any{"nonce": tt.nonce}))
		u.Nonce = "of this socket"
		if err := verify(t, v, u); !errors.Is(err, tt.want) {
			t.Errorf("Verify() error = %v for the nonce %v, want %v", err, tt.nonce, tt.want)
		}
	}
}
