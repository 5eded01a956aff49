package ticket_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/ticket"
)

// A ticket gives back a whole token whose payload is the one that was judged, and whose
// other parts are short. What it cannot give back, it does not keep.
func TestOriginal_KeepToken(t *testing.T) {
	t.Parallel()
	const payload = `{"sub":"alice"}`
	written := base64.RawURLEncoding.EncodeToString([]byte(payload))
	for _, tt := range []struct {
		name, token string
		want        bool
	}{
		{"a token", "h." + written + ".s", true},
		{"as long as may be", strings.Repeat("h", 100) + "." + written + "." + strings.Repeat("s", 412), true},
		{"a byte longer", strings.Repeat("h", 100) + "." + written + "." + strings.Repeat("s", 413), false},
		{"no header", "." + written + ".s", false},
		{"no signature", "h." + written + ".", false},
		{"two parts", "h." + written, false},
		{"another payload", "h." + written + "AA.s", false},
		{"an opaque token", "opaque", false},
	} {
		var o ticket.Original
		if got := o.KeepToken(tt.token, payload); got != tt.want {
			t.Errorf("%s: KeepToken() = %v, want %v", tt.name, got, tt.want)
		}
		want := ""
		if tt.want {
			want = tt.token
		}
		if got := o.GivenBack(payload); got != want {
			t.Errorf("%s: GivenBack() = %q, want %q", tt.name, got, want)
		}
	}
}

// A token of which a part was not kept cannot be told.
func TestOriginal_Token(t *testing.T) {
	t.Parallel()
	if got := (&ticket.Original{Header: "h", Signature: "s"}).Token("{}"); got != "h.e30.s" {
		t.Errorf("Token() = %q, want all of it", got)
	}
	for _, o := range []ticket.Original{{}, {Header: "h"}, {Signature: "s"}} {
		if got := o.Token("{}"); got != "" {
			t.Errorf("Token() = %q with header %q and signature %q, want nothing", got, o.Header, o.Signature)
		}
	}
}
