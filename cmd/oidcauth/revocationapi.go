package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// A revocationForm is the body of POST /v1/revocations. It says first what is revoked,
// and then has to say all that names that and nothing else: what is left empty by
// mistake is an error, and never more than was meant.
type revocationForm struct {
	Revoke       string `json:"revoke" values:"token session subject key issuer"`
	Issuer       string `json:"issuer"`
	TokenID      string `json:"token_id"`
	SessionID    string `json:"session_id"`
	Subject      string `json:"subject"`
	KeyID        string `json:"key_id"`
	IssuedBefore string `json:"issued_before"` // a time, "now", or, but for an issuer, "any" for whenever, later too
	Until        string `json:"until"`         // a time; empty for as long as needed, of a key and with "any" for good
}

// revocationNeeds are the members that each kind of revocation has beside "revoke",
// "issuer" and perhaps "until".
var revocationNeeds = map[string][]string{
	"token":   {"token_id"},
	"session": {"session_id"},
	"subject": {"subject", "issued_before"},
	"key":     {"key_id"},
	"issuer":  {"issued_before"},
}

// Check implements [members.Checker].
func (f *revocationForm) Check(report func(member, text string)) {
	needs, known := revocationNeeds[f.Revoke]
	if !known {
		report("", `want "revoke": token, session, subject, key or issuer`)
		return
	}
	for _, member := range []struct{ name, value string }{
		{"issuer", f.Issuer}, {"token_id", f.TokenID}, {"session_id", f.SessionID}, {"subject", f.Subject},
		{"key_id", f.KeyID}, {"issued_before", f.IssuedBefore},
	} {
		needed := member.name == "issuer" || slices.Contains(needs, member.name)
		switch {
		case needed && member.value == "":
			report("", fmt.Sprintf("to revoke a %s, want %q, and not empty", f.Revoke, member.name))
		case !needed && member.value != "":
			report(member.name, fmt.Sprintf("it says nothing of a %s that is revoked", f.Revoke))
		}
	}
	if f.Revoke == "issuer" && f.IssuedBefore == "any" {
		report("", `to revoke an issuer, want "issued_before" as a time or "now"; to accept nothing of it any more, take it out of the issuers`)
	}
	if tokenLike.MatchString(strings.Join(f.names(), " ")) {
		report("", errTokenNamed.Error())
	}
	if _, err := f.revocation(time.Now(), 0); err != nil {
		report("", err.Error())
	}
}

// errTokenNamed is a token in a revocation, which would stand in logs.
var errTokenNamed = errors.New(`there is a token, want what it says, or its issuer of it: its "jti", "sid" or "sub", or its header's "kid"`)

// names returns what names the tokens beside their issuer.
func (f *revocationForm) names() []string {
	return []string{f.TokenID, f.SessionID, f.Subject, f.KeyID}
}

// revocation returns it in the library's form. What there is now may say that it was
// issued by ahead from now, where the issuer's clock is.
func (f *revocationForm) revocation(now time.Time, ahead time.Duration) (oidcauth.Revocation, error) {
	r := oidcauth.Revocation{Issuer: f.Issuer, TokenID: f.TokenID, SessionID: f.SessionID, Subject: f.Subject, KeyID: f.KeyID}
	var err error
	switch f.IssuedBefore {
	case "":
	case "any":
		r.Until = forGood
	case "now":
		r.IssuedBefore = now.Add(ahead)
	default:
		if r.IssuedBefore, err = revocationTime(f.IssuedBefore); err != nil {
			return r, errors.New(`"issued_before": want a time such as 2026-01-31T12:00:00Z, "now", or "any" for tokens whenever issued, later ones too`)
		}
	}
	if f.Until != "" {
		if r.Until, err = revocationTime(f.Until); err != nil {
			return r, errors.New(`"until": want a time such as 2026-01-31T12:00:00Z`)
		}
	}
	return r, nil
}

// forGood is the end of a revocation of later tokens, too. The library's own would be when
// no token of today is left, after which those of a later login count again.
var forGood = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// revocationTime reads a time of tokens. The zero one, which programs write for none, is
// refused: to the library it says whenever, and would revoke what is issued later, too.
// So is one that has no form as JSON in UTC.
func revocationTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if year := t.UTC().Year(); err == nil && (year < 1970 || year > 9999) {
		err = errors.New("a time of no token")
	}
	return t, err
}

// revocationAnswer is the body of the answer to a revocation that holds.
type revocationAnswer struct {
	Revoked oidcauth.Revocation `json:"revoked"`
	Shared  bool                `json:"shared"` // whether the other servers have it, or there are none
	Kept    bool                `json:"kept"`   // whether it holds after a restart of this server
	Waits   string              `json:"waits,omitempty"`
}

// revoke withdraws what the request's body says.
func (a *admin) revoke(w http.ResponseWriter, r *http.Request) {
	form, err := readRevocation(w, r)
	if err == nil && slices.ContainsFunc(form.names(), a.server.live.Load().isOpaque) {
		err = errTokenNamed
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, apiError{"invalid_request", printable(hideSecrets(err.Error()))})
		return
	}
	revocation, err := form.revocation(time.Now(), a.server.live.Load().clocksAhead)
	if err != nil { // has been checked
		writeJSON(w, http.StatusBadRequest, apiError{"invalid_request", err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), revokeTime)
	defer cancel()
	err = a.server.auth.Revoke(ctx, revocation)
	a.logRevocation(r, form, revocation, err)
	a.answerRevocation(w, r, revocation, err)
}

// logRevocation writes who has revoked what.
func (a *admin) logRevocation(r *http.Request, form *revocationForm, revocation oidcauth.Revocation, err error) {
	who, _ := r.Context().Value(adminKey{}).(string)
	what, _ := json.Marshal(revocation) // of texts and times alone
	attrs := []slog.Attr{
		slog.String("by", who), slog.String("revoke", form.Revoke),
		slog.String("what", string(what)), slog.Bool("holds", holds(err)), slog.Bool("shared", err == nil),
		slog.Bool("kept", err == nil && a.server.keeps || errors.Is(err, oidcauth.ErrRevocationWaits) && a.server.keepsWaiting),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", printable(hideSecrets(err.Error()))))
	}
	a.server.log.LogAttrs(r.Context(), slog.LevelInfo, "revocation", attrs...)
}

// holds reports whether a revocation holds on this server.
func holds(err error) bool {
	return err == nil || errors.Is(err, oidcauth.ErrRevocationsUnavailable)
}

// answerRevocation says what became of a revocation.
func (a *admin) answerRevocation(w http.ResponseWriter, r *http.Request, revocation oidcauth.Revocation, err error) {
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, revocationAnswer{Revoked: revocation, Shared: true, Kept: a.server.keeps})
	case errors.Is(err, oidcauth.ErrRevocationWaits):
		writeJSON(w, http.StatusAccepted, revocationAnswer{Revoked: revocation, Kept: a.server.keepsWaiting, Waits: "it holds on this server, and is shared with the others once they can be reached"})
	case holds(err):
		text := "it holds on this server, and nothing shares it with the others: send it again"
		if errors.Is(err, oidcauth.ErrRevocationNotWritten) {
			text = "it holds on this server, and could not be written: a restart forgets it; send it again"
		}
		w.Header().Set("Retry-After", "5")
		writeJSON(w, http.StatusServiceUnavailable, apiError{"temporarily_unavailable", text})
	case errors.Is(err, oidcauth.ErrMalformedRequest):
		text := strings.ReplaceAll(err.Error(), "oidcauth: ", "")
		writeJSON(w, http.StatusBadRequest, apiError{"invalid_request", printable(hideSecrets(text))})
	default:
		a.server.auth.Refuse(w, r, err)
	}
}

// revocationBytes bounds the body of a request.
const revocationBytes = 16 << 10

// readRevocation reads the form, which is JSON and says so: pages cannot send that to
// another origin without asking first.
func readRevocation(w http.ResponseWriter, r *http.Request) (*revocationForm, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, errors.New("want Content-Type: application/json")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, revocationBytes))
	if err != nil {
		return nil, fmt.Errorf("the body is incomplete, or longer than %d bytes", revocationBytes)
	}
	form := new(revocationForm)
	if err := new(members.Table).Read(data, form); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return form, nil
}
