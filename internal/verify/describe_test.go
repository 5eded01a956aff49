package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/explain"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What a report says of each check that passed, word for word.
func TestDescribe_Words(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	set := newSet(t, nil, s)
	for _, tt := range []struct {
		name      string
		describe  func(*Evaluation) (got, want string)
		change    func(*Evaluation)
		got, want string
	}{
		{"the issuer", describeIssuer, nil, `"https://issuer.test"`, "one"},
		{"the issuer by name", describeIssuer, func(e *Evaluation) { e.Trust.Name = "a" }, `"https://issuer.test", described as "a"`, "one"},
		{"a key ID", describeKey, nil, `key ID "k1"`, "a key of the issuer"},
		{"no key ID", describeKey, func(e *Evaluation) { e.Token.KeyID = jws.KeyID{} }, "no key ID, 1 keys to try", "a key of the issuer"},
		{"an expiry", describeExpiry, nil, "2023-11-14T22:14:20Z", "later than 2023-11-14T22:13:20Z"},
		{"no expiry", describeExpiry, func(e *Evaluation) { e.Record.NeverExpires = true }, "none", "none, or later than 2023-11-14T22:13:20Z"},
		{"not before", describeNotBefore, func(e *Evaluation) { e.Record.NotBefore = claims.At(now) }, "2023-11-14T22:13:20Z", "not later than 2023-11-14T22:13:20Z"},
		{"no not before", describeNotBefore, nil, "absent", "not later than 2023-11-14T22:13:20Z"},
		{"a type", describeType, nil, `"JWT"`, `"jwt"`},
		{"a bound type", describeType, func(e *Evaluation) { e.Record.Confirmation = &claims.Confirmation{} },
			`"JWT", bound by `, `"jwt"; possession of what it is bound to is proved at each use`},
		{"a subject", describeSubject, nil, `"alice"`, fmt.Sprintf("1 to %d bytes", claims.MaxSubjectBytes)},
		{"a number as subject", describeSubject, func(e *Evaluation) { e.Trust.Shape.Numeric = true }, `"alice"`, "an integer"},
		{"scopes", describeClaims, func(e *Evaluation) { e.Record.Scopes = " a  b" }, `roles [], scopes ["a" "b"]`, "well-formed claims"},
		{"rules", describeRules, nil, "2 rules satisfied", "all of them"},
		{"rules that wait", describeRules, func(e *Evaluation) { e.Trust.Supplement = noSupplement }, "0 rules satisfied", "all of them"},
		{"whom to ask", describeOpaqueIssuer, nil, `"https://issuer.test", by the form of the token`, "the issuer that is asked about such tokens"},
		{"whom to ask, by name", describeOpaqueIssuer, func(e *Evaluation) { e.Trust.Name = "a" },
			`"https://issuer.test", described as "a", by the form of the token`, "the issuer that is asked about such tokens"},
	} {
		e := begin(t, newEnv(newTrust(set, nil)), s.token(goodClaims))
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tt.change != nil {
			tt.change(e)
		}
		if got, want := tt.describe(e); got != tt.got || want != tt.want {
			t.Errorf("%s: got %q, want %q\n\tinstead of %q, %q", tt.name, got, want, tt.got, tt.want)
		}
	}
}

// The first eight keys are named with what they are restricted to, and the others counted.
func TestDescribeKeys(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		0: "", 1: `"k0"`, 2: `"k0", "k1" (EdDSA)`,
		8:  `"k0", "k1" (EdDSA), "k2", "k3", "k4", "k5", "k6", "k7"`,
		9:  `"k0", "k1" (EdDSA), "k2", "k3", "k4", "k5", "k6", "k7" … 1 more`,
		12: `"k0", "k1" (EdDSA), "k2", "k3", "k4", "k5", "k6", "k7" … 4 more`,
	} {
		var members []string
		for i := range n {
			s := newSigner(t, fmt.Sprint("k", i))
			jwk := strings.TrimSuffix(strings.TrimPrefix(string(document([]signer{s})), `{"keys":[`), `]}`)
			if i == 1 {
				jwk = strings.Replace(jwk, "{", `{"alg":"EdDSA",`, 1)
			}
			members = append(members, jwk)
		}
		var keys []*keyset.Key
		if n > 0 {
			keys = newSet(t, func(c *keyset.Config) { c.Fixed = document(nil, members...) }).PeekAll()
		}
		if got := DescribeKeys(keys); got != want {
			t.Errorf("DescribeKeys() of %d = %s, want %s", n, got, want)
		}
	}
}

func TestReportMisuse(t *testing.T) {
	t.Parallel()
	plain := errors.New("nothing was asked")
	refused := refusal.New(refusal.Request, refusal.ErrMalformedToken, "two", "one")
	for _, tt := range []struct {
		err       error
		got, want string
	}{{plain, "", ""}, {refused, "two", "one"}, {fmt.Errorf("so: %w", refused), "two", "one"}} {
		r := ReportMisuse(tt.err)
		want := explain.Step{Check: refusal.Request, Verdict: explain.Failed, Got: tt.got, Want: tt.want, Advice: refusal.Find(tt.err).Advice}
		if r.Accepted || !errors.Is(r.Err, tt.err) || !slices.Equal(r.Steps, []explain.Step{want}) {
			t.Errorf("ReportMisuse(%v) = %+v, want %+v", tt.err, r, want)
		}
	}
}

// Nothing of a token is left for the next one.
func TestReset_LeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	set := newSet(t, nil, s)
	e := begin(t, newEnv(newTrust(set, nil), newTrust(set, nil)), s.token(goodClaims))
	if err := e.Judge(t.Context(), nil); err != nil || len(e.outcomes) == 0 {
		t.Fatalf("Judge() error = %v, %d outcomes", err, len(e.outcomes))
	}
	e.Known, e.Asked, e.opaque, e.ofAll, e.still, e.Algorithm = true, now, true, true, true, 1
	kept := e.outcomes
	e.Reset()
	if e.Known || !e.Asked.Equal(time.Time{}) || e.opaque || e.ofAll || e.still || e.Algorithm != 0 || len(e.outcomes) != 0 {
		t.Errorf("left: known %v, asked %v, opaque %v, of all %v, still %v, algorithm %d, %d outcomes",
			e.Known, e.Asked, e.opaque, e.ofAll, e.still, e.Algorithm, len(e.outcomes))
	}
	if kept[0].keys != nil || kept[0].key != nil || kept[0].candidates != nil {
		t.Error("the buffer keeps keys in memory")
	}
}

// A token's word counts once its signature held or its issuer answered, and not before.
func TestSigned(t *testing.T) {
	t.Parallel()
	set, key := newSet(t, nil, newSigner(t, "k1")), new(keyset.Key)
	named, nameless := &claims.Record{Issuer: issuerURL}, new(claims.Record)
	for _, tt := range []struct {
		name string
		e    Evaluation
		want bool
	}{
		{"nothing known", Evaluation{}, false},
		{"a key", Evaluation{Key: key}, true},
		{"opaque, not answered", Evaluation{opaque: true}, false},
		{"opaque, of nobody", Evaluation{opaque: true, Reader: claims.Reader{Record: nameless}}, false},
		{"opaque, answered", Evaluation{opaque: true, Reader: claims.Reader{Record: named}}, true},
		{"a JWT that names its issuer", Evaluation{Reader: claims.Reader{Record: named}}, false},
		{"signed by a key of the set", Evaluation{outcomes: []keyOutcome{{keys: set, key: key}}}, true},
		{"signed by none of the set", Evaluation{outcomes: []keyOutcome{{keys: set}}}, false},
	} {
		tt.e.Trust = &Trust{Keys: set}
		if got := tt.e.Signed(); got != tt.want {
			t.Errorf("%s: Signed() = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A key that is published and not used is named with the reason, where the token names it.
func TestSkippedKey_Words(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	tenants, err := policy.NewTenants("https://{tid}.test", "tid", nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign := strings.TrimSuffix(strings.TrimPrefix(string(document([]signer{newSigner(t, "foreign")})), `{"keys":[`), `]}`)
	foreign = strings.Replace(foreign, "{", `{"issuer":"https://other.test",`, 1)
	nameless := `{"kty":"OKP","crv":"Ed25519","x":"AQAB"}`
	set := newSet(t, func(c *keyset.Config) {
		c.Fixed = document([]signer{s}, foreign, nameless, `{"kty":"oct","k":"AAAA","kid":"odd"}`)
	})
	for _, tt := range []struct {
		name      string
		keyID     jws.KeyID
		tenants   *policy.Tenants
		none      bool // no key is known
		got, want string
	}{
		{"no key ID", jws.KeyID{}, nil, false, "no key ID", `a key of issuer "https://issuer.test"`},
		{"no key ID, no keys", jws.KeyID{}, nil, true, "no key ID", `a key of issuer "https://issuer.test"`},
		{"no keys", jws.Named("odd"), nil, true, `key ID "odd"`, `a key of issuer "https://issuer.test"`},
		{"unknown", jws.Named("new"), nil, false, `key ID "new"`, `a key of issuer "https://issuer.test"`},
		{"unknown to all tenants", jws.Named("new"), tenants, false, `key ID "new"`, `a key of issuer "https://issuer.test"`},
		{"skipped", jws.Named("odd"), nil, false, `key ID "odd", published, not usable here, because: symmetric key`,
			`a key of issuer "https://issuer.test" that can verify signatures here`},
		{"another tenant's", jws.Named("foreign"), tenants, false,
			`key ID "foreign", published, not usable here, because: ` + string(keyset.OtherIssuer) + ` (https://other.test)`,
			`a key of issuer "https://issuer.test" that can verify signatures here`},
		{"nobody's tenant", jws.Named("foreign"), nil, false, `key ID "foreign"`, `a key of issuer "https://issuer.test"`},
	} {
		e := &Evaluation{Trust: &Trust{Keys: set, Policy: policy.Policy{Tenants: tt.tenants}}}
		e.Record, e.Token.KeyID = &claims.Record{Issuer: issuerURL}, tt.keyID
		if tt.none {
			e.Trust.Keys = nil
		}
		refused, ok := errors.AsType[*refusal.Refusal](e.keysRefusal(keyset.ErrUnknownKey))
		if !ok || !errors.Is(refused, refusal.ErrUnknownKey) || refused.Got != tt.got || refused.Want != tt.want {
			t.Errorf("%s: refused as %v, want got %s, want %s", tt.name, refused, tt.got, tt.want)
		}
		if skipped := strings.Contains(tt.got, "published"); errors.Is(refused, errSkippedKey) != skipped {
			t.Errorf("%s: errors.Is(errSkippedKey) = %v, want %v", tt.name, !skipped, skipped)
		}
	}
	e := &Evaluation{Trust: &Trust{Keys: set}}
	e.Record, e.Token.KeyID = &claims.Record{Issuer: issuerURL}, jws.Named("odd")
	unusable := e.noUsableKey(fmt.Errorf("fetched: %w", keyset.ErrNoUsableKey))
	for _, want := range []error{refusal.ErrKeysUnavailable, errSkippedKey, keyset.ErrNoUsableKey} {
		if !errors.Is(unusable, want) {
			t.Errorf("noUsableKey() = %v, want %v in it", unusable, want)
		}
	}
	e.Trust.Stray = refusing{refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "", "")}
	for err, want := range map[error]error{keyset.ErrUnknownKey: refusal.ErrUnknownKey, keyset.ErrClosed: refusal.ErrKeysUnavailable} {
		if got := e.strayRefusal(t.Context(), err); !errors.Is(got, want) {
			t.Errorf("strayRefusal(%v) = %v, want %v", err, got, want)
		}
	}
	if err := e.keysRefusal(errors.New("who knows")); !errors.Is(err, refusal.ErrKeysUnavailable) {
		t.Errorf("an error that nobody knows is %v, want %v", err, refusal.ErrKeysUnavailable)
	}
}
