package harness

import (
	"context"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// A Start is how a peer began: from nothing to its first accepted token.
type Start struct {
	Took    time.Duration
	Fetches int64 // of the key set
}

// Startup sets a peer up for an issuer that it has never seen in this process, and
// shows it a token. KeyDir is a directory with the issuer's keys, or empty.
func Startup(ctx context.Context, p peers.Peer, issuer *idp.Issuer, keyDir string) (Start, error) {
	token := issuer.Token(idp.RS256, 0)
	issuer.ResetFetches()
	// Each connects anew, as a process does that has just begun.
	issuer.Client().CloseIdleConnections()
	began := time.Now()
	v, err := p.Open(ctx, peers.Setup{Issuer: issuer, KeyDir: keyDir})
	if err != nil {
		return Start{}, err
	}
	defer v.Close()
	var user peers.User
	if err := v.Authenticate(ctx, token, &user); err != nil {
		return Start{}, fmt.Errorf("%s: a good token: %w", p.Name, err)
	}
	return Start{time.Since(began), issuer.Fetches()}, nil
}
