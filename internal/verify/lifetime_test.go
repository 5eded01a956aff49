package verify

import (
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// How long a token lives at most goes by its time of issue too, which it must have then,
// and nothing of it is asked where no limit is set.
func TestJudge_Lifetime(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	trust := newTrust(newSet(t, nil, s), nil)
	const (
		longer = `oidcauth: claim not accepted: got "exp" 2023-11-14T23:13:20Z, want not later than 2023-11-14T23:13:19Z ("iat", plus Config.MaxTokenLifetime and 0s of leeway)`
		later  = `oidcauth: claim not accepted: got "exp" 2023-11-14T23:13:21Z, want not later than 2023-11-14T23:13:20Z (now, plus Config.MaxTokenLifetime and 0s of leeway)`
	)
	const undated = `oidcauth: claim not accepted: got no "iat", want a time of issue, by which Config.MaxTokenLifetime is checked`
	for _, tt := range []struct {
		name, times string
		limit       time.Duration
		want        error
		text        string // of the error; empty for any
	}{
		{"no limit", `,"iat":1700000000,"exp":9700000000`, 0, nil, ""},
		{"no limit, and no time of issue", `,"exp":9700000000`, 0, nil, ""},
		{"as long as may be", `,"iat":1700000000,"exp":1700003600`, time.Hour, nil, ""},
		{"longer", `,"iat":1699999999,"exp":1700003600`, time.Hour, refusal.ErrClaim, longer},
		{"longer from now on", `,"iat":1700000000,"exp":1700003601`, time.Hour, refusal.ErrClaim, later},
		{"no time of issue", `,"exp":1700000060`, time.Hour, refusal.ErrClaim, undated},
	} {
		env := newEnv(trust)
		env.MaxLifetime = tt.limit
		err := begin(t, env, s.token(`,"sub":"alice","aud":"x"`+tt.times)).Judge(t.Context(), nil)
		if !errors.Is(err, tt.want) || tt.text != "" && err.Error() != tt.text {
			t.Errorf("%s: Judge() error = %v, want %v, %s", tt.name, err, tt.want, tt.text)
		}
	}
}

// A token without key ID is checked with four keys of a configured issuer at most, and
// with two of one that nobody configured.
func TestCheckSignature_Limit(t *testing.T) {
	t.Parallel()
	var signers []signer
	for range 6 {
		signers = append(signers, newSigner(t, ""))
	}
	set := newSet(t, nil, signers...)
	for _, tt := range []struct {
		name  string
		stray Stray
		want  int
	}{{"configured", nil, 4}, {"a stranger's", refusing{refusal.ErrKeysUnavailable}, 2}} {
		trust := newTrust(set, nil)
		trust.Stray = tt.stray
		e := begin(t, newEnv(trust), newSigner(t, "").token(goodClaims))
		e.SetTrust(trust)
		e.Candidates, e.offered = set.PeekAll(), set.PeekAll()
		if err := e.CheckSignature(t.Context()); !errors.Is(err, refusal.ErrSignature) || e.tried.count != tt.want {
			t.Errorf("%s: CheckSignature() error = %v after %d checks, want %v after %d", tt.name, err, e.tried.count, refusal.ErrSignature, tt.want)
		}
	}
}

// What a token without a type was accepted by is no type, by whichever of several
// descriptions.
func TestJudge_NoType(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	other := newTrust(keys, func(p *policy.Policy) { p.Audiences = []string{"y"} })
	untyped := s.signed(`{"alg":"EdDSA","kid":"k1"}`, `{"iss":"`+issuerURL+`"`+goodClaims+`}`)
	for token, want := range map[string]string{s.token(goodClaims): "jwt", untyped: ""} {
		for _, all := range [][]*Trust{{newTrust(keys, nil)}, {newTrust(keys, nil), other}, {other, newTrust(keys, nil)}} {
			e := begin(t, newEnv(all...), token)
			if err := e.Judge(t.Context(), nil); err != nil || e.Trust.TypeOf(e.Record) != want {
				t.Errorf("of %d descriptions: Judge() error = %v, type %q, want %q", len(all), err, e.Trust.TypeOf(e.Record), want)
			}
		}
	}
}
