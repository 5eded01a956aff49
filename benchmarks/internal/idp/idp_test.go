package idp_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// TestTokenLength holds the tokens to the size that the comparison states.
func TestTokenLength(t *testing.T) {
	i, err := idp.Offline()
	if err != nil {
		t.Fatal(err)
	}
	long := len(i.Token(idp.RS256, 0))
	if long < 850 || long > 950 {
		t.Errorf("an RS256 token has %d bytes, want about 900", long)
	}
	if got := len(i.LongToken(0)); got < long-8 || got > long+8 {
		t.Errorf("a long token has %d bytes, want about %d", got, long)
	}
}

// TestTokensDiffer keeps a crowd from being one user: a token of each number,
// and the same one when it is made again.
func TestTokensDiffer(t *testing.T) {
	i, err := idp.Offline()
	if err != nil {
		t.Fatal(err)
	}
	if i.LongToken(1) == i.LongToken(2) {
		t.Error("two users share a token")
	}
	if first, again := i.LongToken(1), i.LongToken(1); first != again {
		t.Error("a token comes out differently when it is made again")
	}
}
