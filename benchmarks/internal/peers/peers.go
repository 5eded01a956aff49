// Package peers holds the libraries that the comparison runs, one file each,
// behind one small form. Each is set up as its own documentation says, with
// every check it offers for an access token, a leeway of 30 seconds where it
// has that setting, and the same claims read into the same struct.
package peers

import (
	"context"
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// Leeway is what every library that can be told is told.
const Leeway = 30 * time.Second

// User is what a program wants to know of its caller.
type User struct {
	Issuer   string
	Subject  string
	Audience []string
	Expiry   time.Time
	Scopes   []string
	Email    string
	Roles    []string
}

// privateClaims are the claims of a token beside the registered ones, for the
// libraries that read those themselves.
type privateClaims struct {
	Scope string   `json:"scope"`
	Email string   `json:"email"`
	Roles []string `json:"roles"`
}

// Peer is one library.
type Peer struct {
	Name    string   // in benchmark names and tables
	Modules []string // to read the versions from the build; none for Go itself
	About   string   // how it is used here, in a few words
	// Unchecked names the faults of package refusals that the library, set
	// up as here, lets pass.
	Unchecked []string
	// RemoteKeys says that the library fetches keys itself.
	RemoteKeys bool
	// ReadsNothing says that the peer fills no [User].
	ReadsNothing bool
	// KeepsTokens says that the library keeps what it has verified.
	KeepsTokens bool
	// Open sets the library up. It returns when the keys are in hand.
	Open func(ctx context.Context, s Setup) (*Verifier, error)
}

// Setup is what a library is told.
type Setup struct {
	Issuer  *idp.Issuer
	NoCache bool // every token's signature is to be checked, every time
	// CacheBytes bounds a cache of verified tokens; 0 is the default.
	CacheBytes int64
	// KeyDir is where public keys are kept over a restart, for a library that has
	// such a directory.
	KeyDir string
}

// Verifier is a library that has been set up. All its functions are safe for
// concurrent use.
type Verifier struct {
	// Authenticate checks a token and fills user.
	Authenticate func(ctx context.Context, token string, user *User) error
	// Alone checks a token and reads no claim; nil when the peer does not
	// keep verified tokens.
	Alone func(ctx context.Context, token string) error
	// Middleware puts the caller of a request into its context.
	Middleware func(next http.Handler) http.Handler
	// FromContext fills user with what Middleware put there.
	FromContext func(ctx context.Context, user *User) bool
	// Close ends what Open began.
	Close func()
}

// All returns every peer: the floor, this library, then the others by name.
func All() []Peer {
	return []Peer{Bare(), OIDCAuth(), GoJWTMiddleware(), GoJOSE(), GoOIDC(), GolangJWT(), JWX()}
}
