package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
)

// operatorState is what the operator's page shows.
type operatorState struct {
	Now      time.Time      `json:"now"`
	Sessions []sessionState `json:"sessions"`
	Issuers  []issuerState  `json:"issuers"`
	Refusals []bucket       `json:"refusals"`
	Process  processState   `json:"process"`
}

// processState is what the process holds. What grows without end is a fault.
type processState struct {
	Goroutines uint64 `json:"goroutines"`
	HeapBytes  uint64 `json:"heap_bytes"` // of objects in use at the last garbage collection
}

func holds() processState {
	samples := []metrics.Sample{{Name: "/sched/goroutines:goroutines"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return processState{samples[0].Value.Uint64(), samples[1].Value.Uint64()}
}

type sessionState struct {
	Connection string            `json:"connection"`
	Identity   oidcauth.Identity `json:"identity"`
	Issuer     string            `json:"issuer"`
	Subject    string            `json:"subject"`
	Since      time.Time         `json:"since"`
	Expires    time.Time         `json:"expires_at"`
}

type issuerState struct {
	URL       string          `json:"url"`
	State     authtrace.State `json:"state"`
	Keys      []string        `json:"keys"`
	Confirmed time.Time       `json:"confirmed,omitzero"`
	Error     string          `json:"error,omitempty"`
}

// operate lets operators pass.
func (s *server) operate(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := oidcauth.Require(r.Context(), oidcauth.HasRole(roleOperate)); err != nil {
			s.refuse(w, r, err)
			return
		}
		next(w, r)
	}
}

func (s *server) operatorState(w http.ResponseWriter, r *http.Request) {
	state := operatorState{Now: time.Now(), Sessions: []sessionState{}, Refusals: s.refusals.since(time.Now()), Process: holds()}
	add := func(id string, since time.Time, session *oidcauth.Session) {
		claims := session.Claims()
		state.Sessions = append(state.Sessions, sessionState{
			Connection: id, Identity: claims.Identity(), Issuer: claims.Issuer(), Subject: claims.Subject(),
			Since: since, Expires: claims.Expiry(),
		})
	}
	for _, k := range s.sockets.all() {
		add(k.id, k.since, k.session)
	}
	for _, g := range s.guests.all() {
		add(g.id, g.since, g.Session)
	}
	slices.SortFunc(state.Sessions, func(a, b sessionState) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Connection, b.Connection))
	})
	for _, url := range s.issuers {
		keys, err := s.auth.Keys(r.Context(), url)
		issuer := issuerState{URL: url, State: keys.State, Confirmed: keys.Confirmed, Keys: []string{}}
		if err != nil {
			issuer.Error = err.Error()
		}
		for _, key := range keys.Keys {
			issuer.Keys = append(issuer.Keys, key.Type+" "+key.ID)
		}
		state.Issuers = append(state.Issuers, issuer)
	}
	writeJSON(w, http.StatusOK, state)
}

// revoke withdraws all that an identity has at present. They can sign in again.
func (s *server) revoke(w http.ResponseWriter, r *http.Request) {
	var who struct {
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFrame))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&who); err != nil || who.Issuer == "" || who.Subject == "" {
		// An empty subject would mean every subject.
		writeJSON(w, http.StatusBadRequest, reply{Status: http.StatusBadRequest, Error: "invalid_request", Description: "want an issuer and a subject"})
		return
	}
	if err := s.withdraw(r.Context(), Account{Issuer: who.Issuer, Subject: who.Subject}); err != nil {
		s.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
