package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// Every step has a name of its own, works with the results of earlier ones only,
// and returns what it did.
func TestSteps(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range verify.Steps {
		if s.Name == "" || slices.Contains(names, s.Name) || s.Run == nil || s.Describe == nil {
			t.Errorf("step %q: no name of its own, or nothing to do or report", s.Name)
		}
		for _, need := range s.Needs {
			if !slices.Contains(names, need) {
				t.Errorf("step %q needs %q, which does not come before it", s.Name, need)
			}
		}
		names = append(names, s.Name)
	}
}

// A world is one issuer with one key.
type world struct {
	env    verify.Env
	signer jose.Signer
	now    time.Time
}

var errRule, errRevoked = errors.New("a rule"), errors.New("a revocation")

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1"}}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyset.New(keyset.Config{Issuer: "https://issuer.test", Fixed: jwks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	trust := &verify.Trust{Policy: policy.Policy{URL: "https://issuer.test", Audiences: []string{"my-db"}}, Keys: keys, Order: new(verify.Order)}
	trust.Complete()
	w := &world{now: time.Unix(1_700_000_000, 0)}
	if w.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.env = verify.Env{
		MaxBytes: 16 << 10, MaxLifetime: time.Hour,
		Find: func(_ context.Context, name string) ([]*verify.Trust, error) {
			if name != trust.URL {
				return nil, refusal.New(refusal.Issuer, refusal.ErrUnknownIssuer, refusal.Quote(name), "")
			}
			return []*verify.Trust{trust}, nil
		},
		Issuers: func() string { return "one" },
		New:     func() (*claims.Record, any) { return new(claims.Record), nil },
		Rules: func(e *verify.Evaluation) error {
			if e.Record.Subject == "ruled out" {
				return errRule
			}
			return nil
		},
		RuleCount: func(*verify.Trust) int { return 1 },
		Revoked: func(e *verify.Evaluation) error {
			if e.Record.Subject == "revoked" && e.Key.ID() == "k1" {
				return errRevoked
			}
			return nil
		},
	}
	return w
}

func (w *world) token(t *testing.T, change map[string]any) string {
	t.Helper()
	payload := map[string]any{"iss": "https://issuer.test", "aud": "my-db", "sub": "alice", "iat": w.now.Unix(), "exp": w.now.Unix() + 60}
	for name, value := range change {
		payload[name] = value
	}
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	object, err := w.signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestEvaluation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(t, nil)
	var e verify.Evaluation
	for _, tt := range []struct {
		name, token string
		want        error
		check       string // the first that fails
	}{
		{"good", good, nil, ""},
		{"no token", "x", refusal.ErrMalformedToken, refusal.Form},
		{"another issuer", w.token(t, map[string]any{"iss": "https://other.test"}), refusal.ErrUnknownIssuer, refusal.Issuer},
		{"another signature", good[:len(good)-4] + "AAAA", refusal.ErrSignature, refusal.Signature},
		{"expired", w.token(t, map[string]any{"exp": w.now.Unix()}), refusal.ErrExpired, refusal.Expiry},
		{"lives too long", w.token(t, map[string]any{"exp": w.now.Unix() + 3601}), refusal.ErrClaim, refusal.Expiry},
		{"undated", w.token(t, map[string]any{"iat": nil}), refusal.ErrClaim, refusal.IssuedAt},
		{"not yet valid", w.token(t, map[string]any{"nbf": w.now.Unix() + 1}), refusal.ErrNotYetValid, refusal.NotBefore},
		{"issued in the future", w.token(t, map[string]any{"iat": w.now.Unix() + 1}), refusal.ErrIssuedInFuture, refusal.IssuedAt},
		{"another audience", w.token(t, map[string]any{"aud": "x"}), refusal.ErrAudience, refusal.Audience},
		{"bound to a key", w.token(t, map[string]any{"cnf": map[string]any{}}), refusal.ErrTokenType, refusal.Type},
		{"no subject", w.token(t, map[string]any{"sub": ""}), refusal.ErrClaim, refusal.Subject},
		{"a rule", w.token(t, map[string]any{"sub": "ruled out"}), errRule, refusal.Rules},
		{"revoked", w.token(t, map[string]any{"sub": "revoked"}), errRevoked, refusal.Revocation},
		{"good again", good, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.Begin(&w.env, tt.token, w.now)
			err := e.Run(t.Context())
			e.Reset()
			if !errors.Is(err, tt.want) {
				t.Errorf("Run() error = %v, want %v", err, tt.want)
			}
			e.Begin(&w.env, tt.token, w.now)
			report := e.Explain(t.Context())
			e.Reset()
			if report.Accepted != (tt.want == nil) || !errors.Is(report.Err, tt.want) || len(report.Steps) != len(verify.Steps) {
				t.Errorf("Explain() = %v, error %v, want %v", report, report.Err, tt.want)
			}
			i := slices.IndexFunc(report.Steps, func(s explain.Step) bool { return s.Verdict == explain.Failed })
			if tt.check == "" && i >= 0 || tt.check != "" && (i < 0 || report.Steps[i].Check != tt.check) {
				t.Errorf("first failure at %d, want at %q:\n%v", i, tt.check, report)
			}
		})
	}
}

// The program's own rules see accepted tokens alone: they need all checks before
// them.
func TestSteps_RulesNeedAll(t *testing.T) {
	t.Parallel()
	var before []string
	for _, step := range verify.Steps {
		if step.Name == refusal.Rules {
			if !slices.Equal(step.Needs, before) {
				t.Errorf("rules need %q, want %q", step.Needs, before)
			}
			return
		}
		before = append(before, step.Name)
	}
	t.Error("no step for rules")
}
