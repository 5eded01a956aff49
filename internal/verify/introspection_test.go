package verify_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// judgeAnswer judges an answer about an opaque token of https://issuer.test for "x".
func judgeAnswer(t *testing.T, text string, now time.Time) (*claims.Record, error) {
	p := policy.Policy{URL: "https://issuer.test", Names: []string{"https://issuer.test"}, Audiences: []string{"x"}, Opaque: true}
	p.Complete()
	env := &verify.Env{
		MaxBytes: 1 << 14,
		New:      func() (*claims.Record, any) { r := new(claims.Record); return r, r },
		Rules:    func(*verify.Evaluation) error { return nil },
		Revoked:  func(*verify.Evaluation) error { return nil },
	}
	var e verify.Evaluation
	e.Begin(env, "opaque", now)
	if err := e.JudgeAnswer(t.Context(), &verify.Trust{Policy: p}, text, now); err != nil {
		return nil, err
	}
	return e.Record, nil
}

// FuzzAnswer judges answers about opaque tokens. Whatever is accepted is, to another
// reader of JSON, exactly yes, about a token of this issuer for this server, and is the
// same caller's when its payload is read again.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"active":true,"sub":"a","aud":"x","exp":99999999999}`,
		`{"active":true,"iss":"https://issuer.test","sub":"a","aud":["x","y"],"exp":99999999999,"token_type":"bearer"}`,
		`{"active":"true","sub":"a","aud":"x","exp":99999999999}`,
		`{"active":true,"active":false,"sub":"a","aud":"x","exp":99999999999}`,
		`{"\u0061ctive":true,"iss":"https://other.test","sub":"a","aud":"x","exp":99999999999}`,
		`{"active":true,"sub":"a","aud":"x","exp":99999999999,"cnf":{}}`, `{"active":false}`, `{}`, `[]`, `{`, ``,
		" {\n\"active\" : true , \"sub\":\"a\",\"aud\":\"x\",\"exp\":9e9}\n",
	} {
		f.Add(seed)
	}
	now := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := judgeAnswer(t, text, now)
		if err != nil {
			if _, ok := errors.AsType[*refusal.Refusal](err); !ok {
				t.Fatalf("error %v is no refusal", err)
			}
			return
		}
		var said map[string]any
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatalf("accepted what another reader refuses: %v", err)
		}
		audience, isText := said["aud"].(string)
		listed, _ := said["aud"].([]any)
		exp, _ := said["exp"].(float64)
		iss, named := said["iss"]
		_, bound := said["cnf"]
		if said["active"] != true || named && iss != "https://issuer.test" || exp < float64(now.Unix()) ||
			isText && audience != "x" || !isText && !slices.Contains(listed, any("x")) || bound {
			t.Fatalf("accepted %s", text)
		}
		sub, _ := said["sub"].(string)
		if again, err := judgeAnswer(t, r.Payload, now); err != nil || again.Identity != r.Identity || r.Identity != identity.New("https://issuer.test", sub) {
			t.Fatalf("the payload %s is another caller's: %v", r.Payload, err)
		}
	})
}
