package spacetime

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/quote"
)

const wantOrigin = "an Origin of Config.Origins, where the server's own must be named unless they are IP addresses or localhost"

// checkOrigin refuses requests that another site's page makes without leave.
// None of them could carry a token that the page does not have, but any could
// take an anonymous identity on a network that only its visitor can reach.
func (s *Server) checkOrigin(r *http.Request) error {
	got := r.Header["Origin"]
	if len(got) == 0 {
		return nil
	}
	if len(got) == 1 && (s.listed(got[0]) || sameOrigin(got[0], r)) {
		return nil
	}
	return &oidcauth.Refusal{Check: "request", Got: quote.List(got), Want: wantOrigin, Err: oidcauth.ErrOrigin}
}

func (s *Server) listed(origin string) bool {
	return slices.Contains(s.cfg.Origins, "*") || slices.Contains(s.cfg.Origins, origin)
}

// sameOrigin reports whether the page comes from the address that is asked, by a
// name that cannot lie: for any other, an attacker's name server can say that the
// host of the attacker's page is this server ("DNS rebinding"), and the page then
// has the same name as the server that it talks to.
func sameOrigin(origin string, r *http.Request) bool {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(origin)
	return err == nil && origin == u.Scheme+"://"+u.Host && u.Scheme == scheme && u.Host == r.Host && cannotLie(u.Hostname())
}

// cannotLie reports whether no name server is asked for the host.
func cannotLie(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}

// shared serves a route to the pages that may use it.
func (s *Server) shared(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if err := s.checkOrigin(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		}
		serve(w, r)
	})
}

// preflight answers the question that browsers put first (Fetch standard,
// section 3.3.2), since a request with an Authorization header needs leave.
func (s *Server) preflight(method string) http.Handler {
	return s.shared(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}
