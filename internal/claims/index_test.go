package claims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
)

// An index holds the claims whose names end within the first 65,535 bytes, however many
// these are, and a payload with one behind has none and is read from the top.
func TestIndex_Bounds(t *testing.T) {
	t.Parallel()
	endingAt := func(end int) string {
		front := `{"exp":2000000000,"sub":"alice","x":"`
		return front + strings.Repeat("x", end-len(front)-len(`","last"`)) + `","last":"z"}`
	}
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, `"%d":"%d",`, i, i)
	}
	for _, tt := range []struct {
		name, payload string
		indexed       bool
	}{
		{"the last that can be", endingAt(65535), true},
		{"one further", endingAt(65536), false},
		{"many", with(many.String() + `"last":"z"`), true},
	} {
		record, err := read(t, tt.payload, claims.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		if indexed := record.Index != ""; indexed != tt.indexed {
			t.Errorf("%s: index %t, want %t", tt.name, indexed, tt.indexed)
		}
		if got, found := record.Text("last"); got != "z" || !found {
			t.Errorf("%s: Text() = %q, %t", tt.name, got, found)
		}
	}
}

// The text of several members is no name of one, even where it begins with a quote.
func TestIndex_Quotes(t *testing.T) {
	t.Parallel()
	record, err := read(t, `{"exp":2000000000,"sub":"alice","":"x","a":"y"}`, claims.Shape{})
	if err != nil || record.Index == "" {
		t.Fatalf("index %q, error %v", record.Index, err)
	}
	for name, want := range map[string]bool{"": true, "a": true, `,"a`: false, `":"x","a`: false, `x","a`: false} {
		if _, found := record.Text(name); found != want {
			t.Errorf("Text(%q) found %t, want %t", name, found, want)
		}
		if _, found := record.Member([]string{name}); found != want {
			t.Errorf("Member(%q) found %t, want %t", name, found, want)
		}
	}
}
