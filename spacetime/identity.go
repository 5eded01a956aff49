package spacetime

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/localissuer"
)

const (
	headerIdentity = "Spacetime-Identity"
	headerToken    = "Spacetime-Identity-Token"
)

// malformed is a refusal of the request, with status 400.
func malformed(got, want string) error {
	return &oidcauth.Refusal{Check: "request", Got: got, Want: want, Err: oidcauth.ErrMalformedRequest}
}

// bearer authenticates the Authorization header. One that is there and carries
// no bearer token is malformed: it never makes the caller anonymous.
func (s *Server) bearer(r *http.Request) (claims *oidcauth.Claims, token string, err error) {
	_, present := r.Header["Authorization"]
	token, err = oidcauth.BearerToken(r)
	if errors.Is(err, oidcauth.ErrNoToken) && present {
		err = malformed("an Authorization header of another scheme", "Bearer")
	}
	if err != nil {
		return nil, "", err
	}
	claims, err = s.cfg.Auth.Authenticate(r.Context(), token)
	return claims, token, err
}

// refuse answers a request that err stands against.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if status, _, _ := oidcauth.Answer(err); status == http.StatusInternalServerError {
		s.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed", slog.String("error", err.Error()))
	}
	s.cfg.Auth.Refuse(w, r, err)
}

// name tells the caller who they are, as SpacetimeDB does in headers.
func name(w http.ResponseWriter, claims *oidcauth.Claims, token string) {
	h := w.Header()
	h.Set(headerIdentity, claims.Identity().String())
	if token != "" {
		h.Set(headerToken, token)
	}
	h.Set("Cache-Control", "no-store")
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(body)
}

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
	name(w, claims, token)
	writeJSON(w, struct {
		Identity string `json:"identity"`
		Token    string `json:"token"`
	}{claims.Identity().String(), token})
}

// ticket answers POST /v1/identity/websocket-token. The request does not say for
// which database.
func (s *Server) ticket(w http.ResponseWriter, r *http.Request) {
	claims, token, err := s.bearer(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ticket, err := s.cfg.Local.Ticket(r, claims, localissuer.AnyDatabase)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	name(w, claims, token)
	writeJSON(w, struct {
		Token string `json:"token"`
	}{ticket})
}

// publicKey answers GET /v1/identity/public-key.
func (s *Server) publicKey(w http.ResponseWriter, r *http.Request) {
	text, err := s.activeKey()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	w.Write(text)
}

func (s *Server) activeKey() ([]byte, error) {
	for _, k := range s.cfg.Local.Keys() {
		if k.State == "active" {
			der, err := x509.MarshalPKIXPublicKey(k.Public)
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
		}
	}
	return nil, errors.New("no key signs")
}

// verify answers GET /v1/identity/{identity}/verify.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	id, err := identity.Parse(r.PathValue("identity"))
	if err != nil {
		s.refuse(w, r, malformed(fmt.Sprintf("identity %.80q", r.PathValue("identity")), "64 hexadecimal digits"))
		return
	}
	claims, token, err := s.bearer(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	name(w, claims, token)
	if claims.Identity() != id {
		http.Error(w, "the token is another identity's", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
