package verify

import (
	"context"
	"fmt"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Further are the checks that follow Steps where an issuer's description says who
// supplies what the token does not say: asked about a token that nothing else stands
// against, so that no other causes a question.
var Further = []Step{
	{refusal.Supplement, namesOf(Steps), (*Evaluation).CheckSupplement, describeSupplement},
	{refusal.AllRules, []string{refusal.Supplement}, (*Evaluation).CheckAllRules, describeAllRules},
}

func namesOf(steps []Step) []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Name
	}
	return names
}

// RunAll runs all checks until one fails.
func (e *Evaluation) RunAll(ctx context.Context) error {
	if err := e.Run(ctx); err != nil {
		return err
	}
	return e.RunFurther(ctx)
}

// RunFurther runs the checks that follow Steps until one fails.
func (e *Evaluation) RunFurther(ctx context.Context) error {
	for _, s := range e.further() {
		if err := s.Run(e, ctx); err != nil {
			return err
		}
	}
	return nil
}

// further returns the checks that follow Steps for this token.
func (e *Evaluation) further() []Step {
	if e.Trust == nil || e.Trust.Supplement == nil {
		return nil
	}
	return Further
}

// CheckSupplement asks for what the token does not say.
func (e *Evaluation) CheckSupplement(ctx context.Context) error { return e.Trust.Supplement(ctx, e) }

// CheckAllRules applies the rules that see what was supplied.
func (e *Evaluation) CheckAllRules(context.Context) error { return e.env.Rules(e) }

func describeSupplement(e *Evaluation) (got, want string) {
	return e.env.Supplied(e) + ", roles now " + refusal.QuoteAll(e.Record.RoleList()), "a JSON object without registered claims, or nothing"
}

func describeAllRules(e *Evaluation) (got, want string) {
	_, demands := e.Trust.CountDemands()
	return fmt.Sprintf("%d rules satisfied", demands+e.env.RuleCount(e.Trust)), "all of them"
}
