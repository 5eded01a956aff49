package verify

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const issuerURL = "https://issuer.test"

var now = time.Unix(1_700_000_000, 0)

// A signer is a key with an ID, which may be empty.
type signer struct {
	id      string
	private ed25519.PrivateKey
}

func newSigner(t *testing.T, id string) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, private}
}

func encode[T string | []byte](v T) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }

// kid is the key's ID as a member of an object, if it has one.
func (s signer) kid() string {
	if s.id == "" {
		return ""
	}
	return fmt.Sprintf(`,"kid":%q`, s.id)
}

// token is a good one for "x" but for the members that come last.
func (s signer) token(more string) string { return s.tokenOf(issuerURL, more) }

func (s signer) tokenOf(issuer, more string) string {
	return s.signed(`{"alg":"EdDSA","typ":"JWT"`+s.kid()+`}`, fmt.Sprintf(`{"iss":%q%s}`, issuer, more))
}

func (s signer) signed(header, payload string) string {
	text := encode(header) + "." + encode(payload)
	return text + "." + encode(ed25519.Sign(s.private, []byte(text)))
}

const goodClaims = `,"sub":"alice","aud":"x","iat":1700000000,"exp":1700000060`

// document is a key set with public keys, and what else is given.
func document(signers []signer, more ...string) []byte {
	all := slices.Clone(more)
	for _, s := range signers {
		public := s.private.Public().(ed25519.PublicKey)
		all = append(all, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q%s}`, encode([]byte(public)), s.kid()))
	}
	return []byte(`{"keys":[` + strings.Join(all, ",") + `]}`)
}

func newSet(t *testing.T, change func(*keyset.Config), signers ...signer) *keyset.Set {
	t.Helper()
	cfg := keyset.Config{Issuer: issuerURL, Fixed: document(signers)}
	if change != nil {
		change(&cfg)
	}
	set, err := keyset.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

func newTrust(keys *keyset.Set, change func(*policy.Policy)) *Trust {
	p := policy.Policy{URL: issuerURL, Names: []string{issuerURL}, Audiences: []string{"x"}}
	if change != nil {
		change(&p)
	}
	p.Complete()
	return &Trust{Policy: p, Keys: keys, Order: new(Order)}
}

// newEnv knows one issuer by all its descriptions.
func newEnv(all ...*Trust) *Env {
	return &Env{
		MaxBytes:  1 << 14,
		Find:      func(context.Context, string) ([]*Trust, error) { return all, nil },
		Issuers:   func() string { return "one" },
		New:       func() (*claims.Record, any) { r := new(claims.Record); return r, r },
		Rules:     func(*Evaluation) error { return nil },
		RuleCount: func(*Trust) int { return 2 },
		Revoked:   func(*Evaluation) error { return nil },
	}
}

// begin is an evaluation of a token whose form is known.
func begin(t *testing.T, env *Env, token string) *Evaluation {
	t.Helper()
	e := new(Evaluation)
	e.Begin(env, token, now)
	if err := e.CheckForm(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// Descriptions of opaque tokens do not judge JWTs, unless there are no others.
func TestWithoutOpaque(t *testing.T) {
	t.Parallel()
	for opaque, want := range map[string]string{
		"no no": "0 1", "no yes": "0", "yes no": "1", "yes yes": "0 1", "yes no no": "1 2", "no yes no": "0 2",
	} {
		var all []*Trust
		for word := range strings.FieldsSeq(opaque) {
			all = append(all, &Trust{Policy: policy.Policy{Opaque: word == "yes"}})
		}
		var got []string
		for _, trust := range withoutOpaque(all) {
			got = append(got, fmt.Sprint(slices.Index(all, trust)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("opaque %s: left %q, want %s", opaque, got, want)
		}
	}
}

// A JWT of an issuer of which one other description is of opaque tokens is judged and
// explained by the one that is left, and by all for whoever asks for all.
func TestCheckIssuer_BesideOpaque(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	jwt := newTrust(keys, func(p *policy.Policy) { p.Name = "jwt" })
	opaque := newTrust(keys, func(p *policy.Policy) { p.Name, p.Opaque = "opaque", true })
	for _, all := range [][]*Trust{{jwt, opaque}, {opaque, jwt}} {
		env := newEnv(all...)
		e := begin(t, env, s.token(goodClaims))
		if err := e.Judge(t.Context(), nil); err != nil || e.Trust != jwt || len(e.descriptions) != 1 || len(e.outcomes) != 0 {
			t.Errorf("Judge() error = %v by %q of %d, %d outcomes kept", err, e.Trust.Name, len(e.descriptions), len(e.outcomes))
		}
		e = new(Evaluation)
		e.Begin(env, s.token(goodClaims), now)
		if r := e.Explain(t.Context()); !r.Accepted || r.Description != "jwt" {
			t.Errorf("Explain() = %v", r)
		}
		e = begin(t, env, s.token(goodClaims))
		e.ofAll = true
		if err := e.CheckIssuer(t.Context()); err != nil || len(e.descriptions) != 2 {
			t.Errorf("of all: error = %v, %d descriptions", err, len(e.descriptions))
		}
	}
	e := begin(t, newEnv(newTrust(keys, nil), newTrust(keys, nil)), s.token(goodClaims))
	if err := e.CheckIssuer(t.Context()); err != nil || e.Record.Issuer != "" {
		t.Errorf("of two: error = %v, named %q before one is chosen", err, e.Record.Issuer)
	}
}

// Where a token passes no description's checks, the one that it came furthest with tells.
func TestChoose_Furthest(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	early := newTrust(keys, func(p *policy.Policy) { p.Audiences = []string{"y"} })
	late := newTrust(keys, func(p *policy.Policy) { p.Types = []string{"at+jwt"} })
	for _, all := range [][]*Trust{{early, late}, {late, early}} {
		e := begin(t, newEnv(all...), s.token(goodClaims))
		if err := e.Judge(t.Context(), nil); !errors.Is(err, refusal.ErrTokenType) || e.Trust != late {
			t.Errorf("Judge() error = %v, want %v", err, refusal.ErrTokenType)
		}
		if e.still {
			t.Error("nobody is asked for other keys from now on")
		}
	}
}

// The first description whose keys have signed the token counts, however early it fails:
// one with other keys is not asked, though these were to hold the same key.
func TestChoose_FirstThatSigned(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	strict, lenient := newTrust(newSet(t, nil, s), nil), newTrust(newSet(t, nil, s), nil)
	lenient.Leeway = time.Hour
	token := s.token(`,"sub":"alice","aud":"x","exp":1699999999`)
	e := begin(t, newEnv(strict, lenient), token)
	if err := e.Judge(t.Context(), nil); !errors.Is(err, refusal.ErrExpired) || e.Trust != strict {
		t.Errorf("Judge() error = %v, want %v", err, refusal.ErrExpired)
	}
	e = begin(t, newEnv(lenient, strict), token)
	if err := e.Judge(t.Context(), nil); err != nil || e.Trust != lenient {
		t.Errorf("the other way round: Judge() error = %v, want none", err)
	}
}

// What decides first does so for a description that is left alone, too.
func TestJudge_OrderBesideOpaque(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	jwt := newTrust(keys, func(p *policy.Policy) {
		p.Demands = []policy.Demand{{Claim: claims.Path{"plan"}, Values: []string{"full"}}}
	})
	opaque := newTrust(keys, func(p *policy.Policy) { p.Opaque = true })
	for members, want := range map[string]error{
		`,"aud":"x","exp":1700000060`:                         refusal.ErrClaim,
		`,"aud":"x","exp":1700000060,"sub":"a"`:               refusal.ErrRule,
		`,"aud":"x","exp":1700000060,"sub":"a","plan":"full"`: nil,
	} {
		if err := begin(t, newEnv(jwt, opaque), s.token(members)).Judge(t.Context(), nil); !errors.Is(err, want) {
			t.Errorf("with %s: Judge() error = %v, want %v", members, err, want)
		}
	}
}

// What a description lets pass counts for that one alone.
func TestChoose_NothingIsInherited(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	e := begin(t, newEnv(newTrust(keys, nil)), s.token(goodClaims))
	e.Record.NeverExpires, e.Record.Type, e.Record.Confirmation = true, 3, new(claims.Confirmation)
	if err := e.use(newTrust(keys, nil)); err != nil || e.Record.NeverExpires || e.Record.Type != 0 || e.Record.Confirmation != nil {
		t.Errorf("use() error = %v, record %+v, want nothing of the last description", err, e.Record)
	}
}

// Each judgement checks the signature anew, and what follows it once more.
func TestJudge_Again(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	errOnce := errors.New("for once")
	for n := 1; n <= 3; n++ {
		all := []*Trust{newTrust(keys, nil), newTrust(keys, nil), newTrust(keys, nil)}[:n]
		e := begin(t, newEnv(all...), s.token(goodClaims))
		if err := e.Judge(t.Context(), func(context.Context) error { return errOnce }); !errors.Is(err, errOnce) {
			t.Errorf("%d descriptions: Judge() error = %v, want %v", n, err, errOnce)
		}
		if err := e.Judge(t.Context(), nil); err != nil {
			t.Errorf("%d descriptions: Judge() once more error = %v, want none", n, err)
		}
	}
}

// A token whose signature is known is no reason to ask for another description's keys.
func TestChoose_AsksNobodyForTheExpired(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	asked := 0
	foreign := newTrust(newSet(t, nil, newSigner(t, "k2")), nil)
	foreign.Local = local(func() error { asked++; return nil })
	own := newTrust(newSet(t, nil, s), nil)
	for token, want := range map[string]error{
		s.token(`,"sub":"alice","aud":"x","exp":1600000000`): refusal.ErrExpired,
		s.token(goodClaims):                  nil,
		newSigner(t, "k3").token(goodClaims): refusal.ErrUnknownKey,
	} {
		asked = 0
		e := begin(t, newEnv(foreign, own), token)
		err := e.Judge(t.Context(), nil)
		if !errors.Is(err, want) || (asked != 0) != (want == refusal.ErrUnknownKey) {
			t.Errorf("Judge() error = %v, want %v; asked %d times for other keys", err, want, asked)
		}
		if e.still {
			t.Error("nobody is asked for other keys from now on")
		}
	}
}

func noSupplement(context.Context, *Evaluation) error { return nil }

// local is an issuer in this process that is asked for newer keys.
type local func() error

func (l local) Refresh() error                  { return l() }
func (l local) SignsWithoutID(*keyset.Key) bool { return true }

// severalKeys tells whether keys differ at all.
func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	a, b := newSet(t, nil, newSigner(t, "a")), newSet(t, nil, newSigner(t, "b"))
	for _, tt := range []struct {
		sets []*keyset.Set
		want bool
	}{{[]*keyset.Set{a, a}, false}, {[]*keyset.Set{a, b}, true}, {[]*keyset.Set{a, a, b}, true}, {[]*keyset.Set{b, a, a}, true}} {
		var e Evaluation
		for _, set := range tt.sets {
			e.descriptions = append(e.descriptions, &Trust{Keys: set})
		}
		if got := e.severalKeys(); got != tt.want {
			t.Errorf("severalKeys() = %v of %v", got, tt.sets)
		}
	}
}

// What came of keys is open where there may be others and nobody has asked for them.
func TestRemember_Open(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	for _, reused := range []bool{false, true} {
		set := newSet(t, func(c *keyset.Config) { c.ReusesKeyIDs = reused }, s)
		for _, still := range []bool{false, true} {
			for _, err := range []error{nil, refusal.ErrSignature} {
				for _, named := range []bool{false, true} {
					e := &Evaluation{still: still, Trust: &Trust{Keys: set}, descriptions: make([]*Trust, 2)}
					e.Token.KeyID = jws.KeyID{Has: named}
					_ = e.remember(atSignature, err)
					if want := still && err != nil && (!named || reused); len(e.outcomes) != 1 || e.outcomes[0].open != want {
						t.Errorf("reused %v, still %v, error %v, named %v: %+v, want open %v", reused, still, err, named, e.outcomes, want)
					}
				}
			}
		}
	}
}

// Keys that several descriptions share are asked for once for them all.
func TestCheckKeyOnce(t *testing.T) {
	t.Parallel()
	s, other := newSigner(t, "k1"), newSigner(t, "")
	set := newSet(t, nil, s, other)
	errBefore := errors.New("found before")
	candidates := []*keyset.Key{new(keyset.Key)}
	for _, required := range []bool{false, true} {
		for _, by := range []signer{s, other} {
			trust := newTrust(set, func(p *policy.Policy) { p.RequireKeyID = required })
			e := begin(t, newEnv(trust, trust), by.token(goodClaims))
			e.SetTrust(trust)
			alone := required && by.id == ""
			e.outcomes = []keyOutcome{{keys: set, failed: atKey, err: errBefore}}
			if err := e.checkKeyOnce(t.Context()); errors.Is(err, errBefore) == alone {
				t.Errorf("required %v, key ID %q: error = %v", required, by.id, err)
			}
			e.outcomes = []keyOutcome{{keys: set, failed: atSignature, candidates: candidates}}
			if err := e.checkKeyOnce(t.Context()); (err == nil) == alone || err == nil && !slices.Equal(e.Candidates, candidates) {
				t.Errorf("required %v, key ID %q: error = %v, %d candidates", required, by.id, err, len(e.Candidates))
			}
		}
		trust := newTrust(set, func(p *policy.Policy) { p.RequireKeyID = required })
		e := begin(t, newEnv(trust, trust), newSigner(t, "unknown").token(goodClaims))
		e.SetTrust(trust)
		e.descriptions = []*Trust{trust, trust}
		if err := e.checkKeyOnce(t.Context()); !errors.Is(err, refusal.ErrUnknownKey) || len(e.outcomes) != 1 {
			t.Errorf("required %v: error = %v, %d outcomes kept, want 1", required, err, len(e.outcomes))
		}
	}
}

// Who explains a token says no when its tenant is not accepted, as who judges it does.
func TestExplain_TenantOfSeveral(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1")
	keys := newSet(t, nil, s)
	const tenant = "01234567-89ab-cdef-0123-456789abcdef"
	tenants, err := policy.NewTenants("https://{tid}.test", "tid", nil)
	if err != nil {
		t.Fatal(err)
	}
	trust := newTrust(keys, func(p *policy.Policy) { p.Tenants = tenants })
	env := newEnv(trust, newTrust(keys, func(p *policy.Policy) { p.Tenants = tenants }))
	for claim, want := range map[string]error{"": refusal.ErrClaim, fmt.Sprintf(`,"tid":%q`, tenant): refusal.ErrUnknownKey} {
		token := s.tokenOf("https://"+tenant+".test", goodClaims+claim)
		var e Evaluation
		e.Begin(env, token, now)
		r := e.Explain(t.Context())
		judged := begin(t, env, token).Judge(t.Context(), nil)
		if !errors.Is(r.Err, want) || !errors.Is(judged, want) || r.Accepted {
			t.Errorf("with %q: Explain() error = %v, Judge() error = %v, want %v", claim, r.Err, judged, want)
		}
	}
}
