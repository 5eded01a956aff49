package oidcauth

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/asked"
	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/internal/forwarded"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/reply"
	"github.com/oidcauth/oidcauth/possession"
)

// AuthenticateRequest takes the token out of the request, as [Config.Extract]
// says, and authenticates it. The request no longer carries the token
// afterwards, whether it was accepted or not.
//
// With [Config.DPoP] it also takes a token under the scheme DPoP, with its proof,
// whatever Extract is: a request that has one there must have none elsewhere.
func (a *Authenticator) AuthenticateRequest(r *http.Request) (*Claims, error) {
	return a.requestWatched(r, false)
}

// requestWatched is AuthenticateRequest, which may be for a caller who needs no token.
func (a *Authenticator) requestWatched(r *http.Request, optional bool) (*Claims, error) {
	if !a.isMade() || r == nil {
		return nil, cmp.Or(a.misused(context.Background()), error(refusal.New(refusal.Request, ErrMalformedRequest, "no request", "")))
	}
	if a.watch.Decides() {
		return a.decideWatched(r.Context(), optional, func() (*Claims, bool, error) { return a.authenticateRequest(r) })
	}
	c, _, err := a.authenticateRequest(r)
	return c, err
}

// authenticateRequest also tells whether the token was verified before.
func (a *Authenticator) authenticateRequest(r *http.Request) (c *Claims, remembered bool, err error) {
	if a.dpop != nil {
		if token, proof, found, err := extract.TakeDPoP(r); found {
			c, remembered, err := a.authenticateDPoP(r, token, proof, err)
			return c, remembered, refusal.UnderDPoP(err)
		}
	}
	c, token, remembered, err := a.judgedRequest(r)
	if err != nil || c.record.Confirmation == nil {
		return c, remembered, err
	}
	c, err = a.confirm(r.Context(), c, a.presented(r, possession.Proof{Scheme: "Bearer"}, token))
	return c, remembered, err
}

// judgedRequest is authenticateRequest for a bearer token, but for the proof of what
// the token is bound to. It returns the token, too.
func (a *Authenticator) judgedRequest(r *http.Request) (c *Claims, token string, remembered bool, err error) {
	if a.extract != nil {
		if token, err = a.extracted(r); err != nil {
			return nil, "", false, err
		}
		c, remembered, err = a.judgedFrom(r, token)
		return c, token, remembered, err
	}
	if token, err = extract.TakeBearer(r); err != nil {
		return nil, "", false, err
	}
	now := a.now()
	if claims := a.remembered(token, now); claims != nil {
		return claims, token, true, nil // without a look at its characters, which were good before
	}
	if err := extract.CheckBearer(token); err != nil {
		return nil, "", false, err
	}
	c, err = a.verify(a.CallerContext(r), token, now)
	return c, token, false, err
}

// extracted takes the token out of the request as the program says. An extractor that
// panics has failed.
func (a *Authenticator) extracted(r *http.Request) (token string, err error) {
	defer panics.Catch(&err)
	token, err = a.extract(r)
	return token, tellable(err)
}

// tellable returns a program's error, or one in its place if it panics when it is looked
// at, as a nil pointer may. Of the library's own nothing is written out for that.
func tellable(err error) error {
	if _, own := err.(*Refusal); own {
		return err
	}
	return panics.Tellable(err)
}

// judgedFrom is judged for a token that the request carried.
func (a *Authenticator) judgedFrom(r *http.Request, token string) (c *Claims, remembered bool, err error) {
	now := a.now()
	if claims := a.remembered(token, now); claims != nil {
		return claims, true, nil
	}
	c, err = a.verify(a.CallerContext(r), token, now)
	return c, false, err
}

// authenticateDPoP authenticates a token that was sent under the scheme DPoP, unless
// it was sent so badly, or another place of the request has one as well.
func (a *Authenticator) authenticateDPoP(r *http.Request, token, proof string, err error) (c *Claims, remembered bool, _ error) {
	if a.extract != nil {
		other, refused := a.extracted(r)
		if refused != nil && refusal.Find(refused).Err == nil { // a failure of the program's
			return nil, false, refused
		}
		if other != "" || refused != nil && !errors.Is(refused, ErrNoToken) {
			return nil, false, refusal.New(refusal.Request, refusal.ErrManyTokens, "a token under the scheme DPoP, and one in another place", "one token")
		}
	}
	if err != nil {
		return nil, false, err
	}
	if c, remembered, err = a.judgedFrom(r, token); err != nil {
		return nil, remembered, err
	}
	c, err = a.confirm(r.Context(), c, a.presented(r, possession.Proof{Scheme: "DPoP", DPoP: proof}, token))
	return c, remembered, err
}

// presented returns what came with a token in a request.
func (a *Authenticator) presented(r *http.Request, p possession.Proof, token string) bound.Presented {
	p.Method, p.URL = r.Method, possession.URL(r)
	return bound.Presented{Proof: p, Token: token, Certificate: func() (string, error) { return a.certificateOf(r) }}
}

// certificateOf returns the thumbprint of the certificate of whoever sent a request.
func (a *Authenticator) certificateOf(r *http.Request) (string, error) {
	if a.certificate == nil {
		return "", nil
	}
	c, err := a.askCertificate(forwarded.WithTrust(r, a.proxies))
	if err == nil {
		return possession.Thumbprint(c), nil
	}
	if _, ok := errors.AsType[*Refusal](err); !ok {
		err = refusal.Because(refusal.Possession, ErrAnswerUnavailable, err)
	}
	return "", err
}

// askCertificate asks the program, of whose function a panic is an error.
func (a *Authenticator) askCertificate(r *http.Request) (c *x509.Certificate, err error) {
	defer panics.Catch(&err)
	c, err = a.certificate(r)
	return c, tellable(err)
}

// CallerContext returns the request's context with the caller's address, as
// [WithCallerAddr] has it, unless it has one already or none is needed. It is for
// handlers that take a token from a request themselves and give it to
// [Authenticator.Authenticate], and for the sessions that they begin, as with a ticket;
// where [Authenticator.Middleware], [Authenticator.Optional] or
// [Authenticator.AuthenticateRequest] sees the request first, there is nothing left to do.
// The address is that of the connection, or, where that is one of [Config.Proxies], of
// whoever the proxy names.
func (a *Authenticator) CallerContext(r *http.Request) context.Context {
	ctx := r.Context()
	if !a.isMade() || a.anyone == nil && a.found == nil && len(a.issuers.Load().opaque) == 0 || ctx.Value(callerAddrKey{}) != nil {
		return ctx
	}
	return WithCallerAddr(ctx, forwarded.Caller(r, a.proxies))
}

// Middleware lets a request pass to next only with an accepted token, and gives
// it a context in which [FromContext] finds the claims. The token is taken out
// of the request first. Every other request gets the answer of
// [Authenticator.Refuse]. Where next is another Authenticator's Middleware, that
// one's caller takes the place of this one's. It panics where next is nil or [New]
// did not make the Authenticator: every request would fail.
func (a *Authenticator) Middleware(next http.Handler) http.Handler {
	return a.guard(next, false)
}

// Optional is [Authenticator.Middleware] for handlers that also serve callers
// without a token: in their context nobody is known. A token that is not
// accepted is refused all the same. It panics as Middleware does.
func (a *Authenticator) Optional(next http.Handler) http.Handler {
	return a.guard(next, true)
}

func (a *Authenticator) guard(next http.Handler, optional bool) http.Handler {
	a.mustBeMade()
	if next == nil {
		panic("oidcauth: the handler behind Middleware or Optional is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := a.requestWatched(r, optional)
		if err != nil && !(optional && errors.Is(err, ErrNoToken)) {
			a.Refuse(w, r, err)
			return
		}
		if claims != nil && claims.proved() != nil {
			a.offerNonce(w.Header())
		}
		next.ServeHTTP(w, newGuarded(a.CallerContext(r), r, claims))
	})
}

// mustBeMade panics, while a server is set up, where it could refuse requests alone.
func (a *Authenticator) mustBeMade() {
	if !a.isMade() {
		panic(a.misused(context.Background()).Error())
	}
}

// A guardedRequest is what a handler behind [Authenticator.Middleware] gets: a copy
// of the request and its context, in one piece of memory. So whoever keeps the
// context keeps the request too.
type guardedRequest struct {
	callerContext
	request http.Request
}

// newGuarded returns r.WithContext(NewContext(ctx, claims)).
func newGuarded(ctx context.Context, r *http.Request, claims *Claims) *http.Request {
	g := &guardedRequest{callerContext: callerContext{ctx, caller{claims: claims}}}
	g.request = *r.WithContext(&g.callerContext) // only it can set the context
	return &g.request
}

// Refuse answers a request that err stands against: an error of this package,
// from [Authenticator.AuthenticateRequest] or [Require] for instance. The answer
// is 400, 401 or 403 with a challenge (RFC 6750, section 3), or 503 with Retry-After, and
// a JSON body {"error", "error_description"}, unless [Config.WriteRefusal] writes it; for
// any other error it is 500. It says to the caller what kind of fault it is; what exactly
// was got and wanted goes to [Config.Logger]. That a client has left, so that err is
// that its request was canceled, is no more than a line for debugging.
func (a *Authenticator) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !a.isMade() {
		a = &Authenticator{logger: slog.New(slog.DiscardHandler)}
	}
	asked.From(r.Context()).Refuse()
	err = tellable(err)
	answer := refusal.Find(err)
	a.logRefusal(r, answer, err)

	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if answer.Status < 500 {
		h["Www-Authenticate"] = a.challenges(answer, err)
		a.offerNonce(h)
	}
	if answer.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(err))
	}
	if a.writeRefusal != nil {
		own := reply.NewWriter(w, answer.Status)
		defer own.Finish() // also if it panics: what nobody answers is 200
		a.writeRefusal(own, r, err)
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	if r.Method == http.MethodHead {
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"error": answer.Name(), "error_description": answer.Description})
}

// logRefusal writes the line about a refused request, or about one that the program
// failed at. It names the bearer only of a token whose signature, or issuer, stands by it.
func (a *Authenticator) logRefusal(r *http.Request, answer refusal.Entry, err error) {
	level, text := slog.LevelInfo, "request refused"
	if answer.Err == nil {
		level, text = slog.LevelError, "request failed"
	}
	ctx := r.Context()
	if answer.Err == nil && errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled) {
		level, text = slog.LevelDebug, "request canceled" // by its client, who has left
	}
	if !a.logger.Enabled(ctx, level) {
		return
	}
	reason := "no error"
	if err != nil {
		reason = err.Error()
	}
	attrs := append([]slog.Attr{slog.Int("status", answer.Status), slog.String("reason", reason)}, reply.Attrs(r, forwarded.Caller(r, a.proxies))...)
	if answer.Err == ErrNoToken {
		if hint := a.hintOfToken(r, err); hint != "" {
			attrs = append(attrs, slog.String("hint", hint))
		}
	}
	b := refusal.BearerOf(err)
	if c, ok := FromContext(ctx); ok && b.Issuer == "" && (c.key != nil || c.answered != nil) {
		b.Issuer, b.Subject = c.Issuer(), c.Subject()
	}
	a.logger.LogAttrs(ctx, level, text, append(attrs, reply.Bearer(b.Issuer, b.Subject)...)...)
}

// hintOfToken says where the token may be of a request that seemed to have none.
func (a *Authenticator) hintOfToken(r *http.Request, err error) string {
	refused, _ := errors.AsType[*Refusal](err)
	byRequire := refused != nil && refused.Check == refusal.Rules
	if c, known := FromContext(r.Context()); known && !byRequire && a.checkOwn(c) == nil {
		return "a Middleware or Optional of this Authenticator has taken the token before: guard a route once"
	}
	place, remedy := extract.Elsewhere(r)
	if place == "" {
		return ""
	}
	if byRequire {
		remedy = "is the handler behind Middleware or Optional? " + remedy
	}
	return "there seems to be one in " + place + ", where nobody looked: " + remedy
}

// offerNonce tells a client the nonce for its next proof (RFC 9449, section 9), and
// its browser that the page may read it. The answer is not to be stored unless the handler
// says otherwise: it would bring an old nonce back each time (section 8.2).
func (a *Authenticator) offerNonce(h http.Header) {
	if a.dpop == nil {
		return
	}
	if nonce := a.dpop.Nonce(); nonce != "" {
		h.Set("DPoP-Nonce", nonce)
		h.Add("Access-Control-Expose-Headers", "DPoP-Nonce")
		h.Set("Cache-Control", "no-store")
	}
}

// challenges returns the WWW-Authenticate headers: one for each scheme that counts
// here, with what is wrong in that which the request used (RFC 9449, section 7.1).
func (a *Authenticator) challenges(answer refusal.Entry, err error) []string {
	if a.dpop == nil {
		return []string{a.challenge(answer)}
	}
	proofs := "DPoP algs=\"" + strings.Join(a.dpop.Algorithms(), " ") + "\""
	if !refusal.IsUnderDPoP(err) {
		return []string{a.challenge(answer), proofs}
	}
	told := a.challenge(answer)
	return []string{proofs + ", " + strings.TrimPrefix(told, "Bearer ")}
}

// challenge returns the WWW-Authenticate header. A caller that sent no token gets
// no error code (RFC 6750, section 3.1), and yet one parameter at least (section 3):
// where there is no metadata to name, a realm that says nothing.
func (a *Authenticator) challenge(answer refusal.Entry) string {
	var parameters []string
	if answer.Code != "" {
		parameters = append(parameters,
			`error="`+answer.Code+`"`, `error_description="`+answer.Description+`"`)
	}
	if a.metadataURL != "" {
		parameters = append(parameters, `resource_metadata="`+a.metadataURL+`"`)
	}
	if len(parameters) == 0 {
		parameters = append(parameters, `realm="api"`)
	}
	return "Bearer " + strings.Join(parameters, ", ")
}

// retryAfter returns the seconds to wait, at least one.
func retryAfter(err error) string {
	var wait time.Duration
	if refused, ok := errors.AsType[*Refusal](err); ok {
		wait = refused.RetryAfter()
	}
	return strconv.Itoa(int(math.Max(1, math.Ceil(wait.Seconds()))))
}
