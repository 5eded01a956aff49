package simulation_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/possession"
)

// A certificate is a client's. What a token is bound to is its bytes; that its holder
// has the key is the business of TLS.
type certificate struct{ *x509.Certificate }

// A shown is what comes with a token.
type shown struct {
	proof *proof       // by a key; nil for none
	over  *certificate // of the connection; nil for none
}

func (w *world) addCertificates() {
	for _, name := range []string{"laptop", "phone", "thief"} {
		w.certificates = append(w.certificates, &certificate{&x509.Certificate{Raw: []byte(name)}})
	}
}

// certified has a token be bound to a certificate, in some worlds, and now and then.
func (w *world) certified() *certificate {
	if !w.plan.certified || w.beside.IntN(3) > 0 {
		return nil
	}
	return w.certificates[w.beside.IntN(len(w.certificates)-1)]
}

// otherCertificate is one that a token is not bound to, or none.
func (w *world) otherCertificate(t *token) *certificate {
	other := w.certificates[w.beside.IntN(len(w.certificates))]
	if other == t.certificate {
		return nil
	}
	return other
}

// honest is what an honest client shows with a token.
func (w *world) honest(n *node, t *token) shown {
	return shown{w.honestProof(n, t), t.certificate}
}

// context returns the context that a token comes with.
func (s shown) context(ctx context.Context) context.Context {
	if s == (shown{}) {
		return ctx
	}
	var p possession.Proof
	if s.proof != nil {
		p = possession.Proof{DPoP: s.proof.text, Method: "POST", URL: calledURL}
	}
	if s.over != nil {
		p.Certificate = s.over.Certificate
	}
	return possession.NewContext(ctx, p)
}

// request is one for a ticket, from a page, over a connection with a certificate or
// without.
func (c *certificate) request(page string) *http.Request {
	r := authtest.From(page)
	if c != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.Certificate}}
	}
	return r
}

// duePossession is the check of what a token is bound to, which follows all others. A
// session that is being renewed has the connection that it had.
func (n *node) duePossession(t *token, came shown, renewed *liveSession) due {
	over := came.over
	if over == nil && renewed != nil {
		over = renewed.t.certificate
	}
	if t.certificate != nil && over != t.certificate {
		return only(oidcauth.ErrProof)
	}
	return n.dueProof(t, came.proof, renewed)
}
