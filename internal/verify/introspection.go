package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An opaque token says nothing itself: its issuer is asked what it stands for (RFC
// 7662), and the answer takes the place of a payload. Who is asked is a matter of
// configuration alone. The checks are those of other tokens, but for the key and the
// signature, which the issuer's word replaces, and for the type, which stands
// elsewhere.

// opaqueSteps are all checks on an opaque token in their order. Form and issuer are found
// at once, or else the token is no opaque one: what follows need not name them.
var opaqueSteps = append([]Step{
	Steps[place(refusal.Form)],
	{refusal.Issuer, nil, (*Evaluation).checkOpaqueIssuer, describeOpaqueIssuer},
	{refusal.Introspection, nil, (*Evaluation).CheckIntrospection, describeIntrospection},
}, answeredSteps...)

// answeredSteps are those on what the issuer has answered.
var answeredSteps = answered()

// answered are the checks on an answer: those of the table behind the signature.
func answered() []Step {
	steps := slices.Clone(Steps[place(refusal.Signature)+1:])
	for i, s := range steps {
		steps[i].Needs = append(slices.Clone(s.Needs), refusal.Introspection)
		if s.Name == refusal.Type {
			steps[i].Run, steps[i].Describe = (*Evaluation).checkAnswerType, describeAnswerType
		}
	}
	return steps
}

// IsOpaque reports whether the token, whose form is known, is no JWT.
func (e *Evaluation) IsOpaque() bool { return e.opaque }

// steps returns the checks for this token, whose form is known.
func (e *Evaluation) steps() []Step {
	if e.opaque {
		return opaqueSteps
	}
	return Steps
}

// runSteps runs checks until one fails.
func (e *Evaluation) runSteps(ctx context.Context, steps []Step) error {
	for i := range steps {
		if err := steps[i].Run(e, ctx); err != nil {
			return err
		}
	}
	return nil
}

// JudgeAnswer runs the checks behind the question on what was answered about an opaque
// token, by a description that is its own.
func (e *Evaluation) JudgeAnswer(ctx context.Context, t *Trust, answer string, asked time.Time) error {
	e.opaque, e.Asked = true, asked
	e.SetTrust(t)
	if err := e.TakeAnswer(answer); err != nil {
		return err
	}
	return e.runSteps(ctx, answeredSteps)
}

// isOpaque makes the token, which is no JWT, that of the issuer whose opaque tokens
// are of its kind, if there is one. What has the form of a JWT, or of a part of one,
// is never taken for anything else: its own checks stand against it.
func (e *Evaluation) isOpaque() bool {
	if e.env.FindOpaque == nil || len(e.Raw) > e.env.MaxBytes || jwtShaped(e.Raw) || !visible(e.Raw) {
		return false
	}
	t := e.env.FindOpaque(e.Raw)
	if t == nil {
		return false
	}
	e.SetTrust(t)
	e.opaque = true
	return true
}

// jwtShaped reports whether a token has the form of a JWT: three parts or more, JSON,
// or what begins as an encoded header does and goes on with another part.
func jwtShaped(token string) bool {
	dots := strings.Count(token, ".")
	return dots >= 2 || strings.HasPrefix(token, "{") || dots == 1 && strings.HasPrefix(token, "eyJ")
}

// visible reports whether a token consists of visible characters (RFC 6749, appendix
// A.12, but for the space, which no header can carry).
func visible(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkOpaqueIssuer has nothing to refuse: whose token it is was found by its form.
func (e *Evaluation) checkOpaqueIssuer(context.Context) error { return nil }

// CheckIntrospection asks the issuer about the token, and takes its answer.
func (e *Evaluation) CheckIntrospection(ctx context.Context) error {
	answer, asked, err := e.Trust.Introspect(ctx, e)
	if err != nil {
		return err
	}
	e.Asked = asked
	return e.TakeAnswer(answer)
}

// TakeAnswer makes an answer the payload of the token. One that names no issuer is
// that of the issuer who gave it, and is completed by its name, so that it can be read
// later as any payload.
func (e *Evaluation) TakeAnswer(answer string) (err error) {
	if e.Members, err = jws.ParseObject(e.Members[:0], answer); err != nil {
		return refusal.New(refusal.Introspection, refusal.ErrAnswerUnavailable, "an answer of another form: "+jws.Rule(err), "a JSON object")
	}
	if err := policy.CheckActive(e.Members); err != nil {
		return err
	}
	if _, found := jws.Find(e.Members, "iss"); !found {
		if answer, err = withIssuer(answer, e.Trust.URL); err != nil {
			return err
		}
		if e.Members, err = jws.ParseObject(e.Members[:0], answer); err != nil {
			return Malformed(err)
		}
	}
	e.SetPayload(answer)
	iss, err := e.UntrustedIssuer()
	if err != nil {
		return err
	}
	if err := e.Trust.CheckAnswerIssuer(iss); err != nil {
		return err
	}
	return e.Trust.NameIssuer(&e.Reader, iss)
}

// withIssuer puts "iss" in front of an object's members, of which there are some.
func withIssuer(object, iss string) (string, error) {
	name, err := json.Marshal(iss)
	if err != nil {
		return "", err
	}
	_, members, _ := strings.Cut(object, "{")
	return `{"iss":` + string(name) + "," + members, nil
}

func (e *Evaluation) checkAnswerType(context.Context) error {
	if err := policy.CheckAnswerType(&e.Reader); err != nil {
		return err
	}
	return e.Trust.CheckBinding(&e.Reader, e.env.Proves)
}

func describeOpaqueIssuer(e *Evaluation) (got, want string) {
	got = refusal.Quote(e.Trust.URL)
	if e.Trust.Name != "" {
		got += ", described as " + refusal.Quote(e.Trust.Name)
	}
	return got + ", by the form of the token", "the issuer that is asked about such tokens"
}

func describeIntrospection(e *Evaluation) (got, want string) {
	return fmt.Sprintf("active, %d claims", len(e.Members)), `an answer with "active": true, of this issuer`
}

func describeAnswerType(*Evaluation) (got, want string) {
	return "an access token, as far as the answer tells", `"Bearer" as token_type, or none, and nothing else that tells of another purpose`
}
