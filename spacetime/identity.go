package spacetime

import (
	"fmt"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
)

const exchangePath = "/v1/identity/websocket-token"

// These tell the client of a WebSocket who they are. The routes below /v1/identity
// have none: logs of proxies keep headers, and the caller has the token already.
const (
	headerIdentity = "Spacetime-Identity"
	headerToken    = "Spacetime-Identity-Token"
)

// newIdentity answers POST /v1/identity.
func (s *Server) newIdentity(w http.ResponseWriter, r *http.Request) {
	if !s.cfg.Anonymous {
		s.refuse(w, r, &oidcauth.Refusal{Check: "request", Want: "Config.Anonymous", Err: oidcauth.ErrForbidden})
		return
	}
	token, claims, err := s.issue(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, r, http.StatusOK, struct {
		Identity string `json:"identity"`
		Token    string `json:"token"`
	}{claims.Identity().String(), token})
}

// ticket answers POST /v1/identity/websocket-token. The request does not say for
// which database, so the ticket is good for every one of this server.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	claims, token, err := s.bearer(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	text, err := ticket.Sell(s.cfg.Local, r, token, claims, localissuer.AnyDatabase)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if claims.Issuer() != s.cfg.Local.URL() { // of its own the ticket gives it back
		s.tokens.keep(claims, token)
	}
	writeJSON(w, r, http.StatusOK, struct {
		Token string `json:"token"`
	}{text})
}

// publicKey answers GET /v1/identity/public-key.
func (s *Server) publicKey(w http.ResponseWriter, r *http.Request) {
	text, err := s.cfg.Local.PublicPEM()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/pem-certificate-chain")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(text)
}

// verify answers GET /v1/identity/{identity}/verify.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	id, err := identity.Parse(r.PathValue("identity"))
	if err != nil {
		s.refuse(w, r, malformed(fmt.Sprintf("identity %.80q", r.PathValue("identity")), "64 hexadecimal digits"))
		return
	}
	claims, _, err := s.bearer(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if claims.Identity() != id {
		http.Error(w, "the token is another identity's", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
