package spacetime

import (
	"net/http"
	"time"

	"github.com/oidcauth/oidcauth"
)

// For tests of the bytes, and of what is judged before anything else.
var (
	FirstMessage      = firstMessage
	ParseConnectionID = parseConnectionID
	IsNoTicket        = isNoTicket
	Within            = within
	CheckHandshake    = func(r *http.Request) error { return checkHandshake(r) }
)

// CheckNames judges an issuer's and a subject's name by a server's configuration.
func CheckNames(maxNameBytes int, issuer, subject string) error {
	s := &Server{cfg: Config{MaxNameBytes: maxNameBytes}}
	return s.checkNames(issuer, subject)
}

// MaxRemembered is how many bytes of them a server remembers.
const MaxRemembered = maxRemembered

// A Memory remembers tokens, so many bytes of them.
type Memory struct{ m *memory }

func NewMemory(limit int) Memory { return Memory{newMemory(limit)} }

func (m Memory) Keep(claims *oidcauth.Claims, token string)            { m.m.keep(claims, token) }
func (m Memory) Of(claims *oidcauth.Claims) (token string, known bool) { return m.m.of(claims) }

// Timer is what drops the token of these claims.
func (m Memory) Timer(claims *oidcauth.Claims) *time.Timer { return m.m.kept[keyOf(claims)].timer }

// Bytes are what is kept, as counted and as found.
func (m Memory) Bytes() (counted, found int) {
	m.m.mu.Lock()
	defer m.m.mu.Unlock()
	for _, k := range m.m.kept {
		found += len(k.token)
	}
	return m.m.bytes, found
}

// ReadHandshake is what is judged of a handshake before anything costs something, and
// Upgrade what follows.
func ReadHandshake(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	return new(Server).readHandshake(w, r)
}

var Upgrade = upgrade
