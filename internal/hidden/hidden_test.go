package hidden_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/hidden"
)

// What is hidden is not printed, however deep it stands, and what is not hidden is.
func TestValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	type holder struct {
		secret hidden.Value[string]
		Secret hidden.Value[*[]byte]
		open   string
	}
	bytes := []byte(secret)
	h := holder{hidden.Of(secret), hidden.Of(&bytes), "open"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		for _, value := range []any{h, &h, []*holder{&h}, struct{ in any }{&h}, map[string]any{"h": h}} {
			text := fmt.Sprintf(verb, value)
			for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint(bytes), strings.Trim(fmt.Sprint(bytes), "[]"), "0x68, 0x75"} {
				if strings.Contains(text, form) {
					t.Errorf("%s of a %T prints %s", verb, value, form)
				}
			}
		}
	}
	if text := fmt.Sprintf("%v", h); !strings.Contains(text, h.open) {
		t.Errorf("printed as %s, without what is not hidden", text)
	}
	if text, err := json.Marshal(h); err != nil || string(text) != `{"Secret":{}}` {
		t.Errorf("as JSON %s, %v", text, err)
	}
	if h.secret.Get() != secret || string(*h.Secret.Get()) != secret || (hidden.Value[string]{}).Get() != "" {
		t.Error("Get() is another value")
	}
}
