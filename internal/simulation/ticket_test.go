package simulation_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
)

const (
	database = "chat"
	origin   = "https://page.test"
)

// A soldTicket is a ticket, and what is true of it.
type soldTicket struct {
	text      string
	t         *token // that it stands for
	sub       string // whose it is
	seller    *node
	process   int
	keyID     string
	made      time.Time
	issued    time.Time // by its seller's clock
	expires   time.Time
	presented bool          // it may be used up
	taken     map[*node]int // by which process
	accepted  int
}

// buy buys a ticket for a token that was accepted just now.
func (w *world) buy(n *node, t *token, claims *oidcauth.Claims) {
	text, err := n.local.Ticket(authtest.From(origin), claims, database)
	w.tally["tickets"]++
	if err != nil {
		// The claims are of this moment, and so is what is due.
		if !w.vault.doubtful(n) && n.due(t).must() && !n.sellsInVain() {
			w.fail(t, "%s sells no ticket: %v\n%s", n.name, err, n.explain(t))
		}
		return
	}
	said := readParts(text)
	x := &soldTicket{
		text: text, t: t, sub: claims.Subject(), seller: n, process: n.process, keyID: said.Kid, made: time.Now(),
		issued: time.Unix(said.Iat, 0), expires: time.Unix(said.Exp, 0), taken: map[*node]int{},
	}
	w.tickets = append(w.tickets, x)
	t.note(w, "%s sells a ticket", n.name)
	if t.certificate != nil {
		w.steal(x)
	}
}

// sellsInVain says whether tickets that are sold now may be refused at once, since the key that
// signs them is revoked, or all that the local issuer issues: then none is sold.
func (n *node) sellsInVain() bool {
	now := time.Unix(n.now().Unix(), 0)
	return slices.ContainsFunc(n.local.Keys(), func(k localissuer.Key) bool {
		return k.State == "active" && slices.ContainsFunc(n.w.revocations, func(r *revocation) bool {
			return r.matches(&token{issuer: localName, keyID: k.ID, issued: now})
		})
	})
}

// useTicket presents a ticket: mostly a new one, once, twice at once, and again.
func (w *world) useTicket() {
	if len(w.tickets) == 0 {
		return
	}
	x := w.tickets[len(w.tickets)-1]
	if w.chance(3) {
		x = pick(w.random, w.tickets)
	}
	if w.chance(8) {
		w.misuse(x)
		return
	}
	n, other := w.node(), w.node()
	if !w.chance(3) {
		w.present(x, n)
		return
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, n := range []*node{n, other} {
		wg.Go(func() { _, errs[i] = n.auth.AuthenticateTicket(x.request(), x.text, database) })
	}
	wg.Wait()
	for i, n := range []*node{n, other} {
		w.taken(x, n, errs[i], nil)
	}
}

// steal presents a ticket over a connection without the certificate of its token, which
// does not use it up.
func (w *world) steal(x *soldTicket) {
	n := w.node()
	_, err := n.auth.AuthenticateTicket(w.otherCertificate(x.t).request(origin), x.text, database)
	if err == nil {
		w.fail(x.t, "%s took a ticket over a connection with another certificate", n.name)
	}
	w.tally["stolen ticket "+kind(err)]++
}

// misuse presents a ticket where it is not good, which does not use it up.
func (w *world) misuse(x *soldTicket) {
	n := w.node()
	_, err := n.auth.AuthenticateTicket(x.t.certificate.request("https://other.test"), x.text, database)
	if err == nil {
		w.fail(x.t, "%s took a ticket from another page", n.name)
	}
	if _, err = n.auth.AuthenticateTicket(x.request(), x.text, "other"); err == nil {
		w.fail(x.t, "%s took a ticket for another database", n.name)
	}
	if _, err = n.auth.Authenticate(w.t.Context(), x.text); err == nil {
		w.fail(x.t, "%s took a ticket for a token", n.name)
	}
}

// present presents a ticket, and begins a session with it.
func (w *world) present(x *soldTicket, n *node) {
	synctest.Wait()
	n.seen()
	must := x.must(n)
	may := x.may(n)
	claims, err := n.auth.AuthenticateTicket(x.request(), x.text, database)
	synctest.Wait()
	w.tally["decisions"]++
	if err != nil && must && x.must(n) {
		w.fail(x.t, "%s refused a ticket of %s: %v\n%s", n.name, x.seller.name, err, n.explain(x.t))
	}
	if err == nil && !may && !x.may(n) {
		w.fail(x.t, "%s took a ticket whose token's due is %v\n%s", n.name, n.due(x.t), n.explain(x.t))
	}
	w.taken(x, n, err, claims)
}

// taken notes what became of a ticket. It is taken once, by whomever: by all servers
// together where they share a log, and else by each process.
func (w *world) taken(x *soldTicket, n *node, err error, claims *oidcauth.Claims) {
	w.tally["ticket "+kind(err)]++
	x.t.note(w, "%s: its ticket: %s", n.name, kind(err))
	w.note("%s: the ticket for %s: %s", n.name, x.t.jti, kind(err))
	x.presented = true
	if err != nil {
		asks := x.t.supplied() || x.t.opaque != nil || n.dueRule(n.as(x.t)).allows(oidcauth.ErrAnswerUnavailable)
		if status, _, _ := oidcauth.Answer(err); status >= 500 && !(asks && errors.Is(err, oidcauth.ErrAnswerUnavailable)) && !errors.Is(err, oidcauth.ErrKeysUnavailable) && !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			w.fail(x.t, "%s: a ticket is answered with %d: %v", n.name, status, err)
		}
		return
	}
	x.accepted++
	if x.accepted > 1 && (w.log != nil || x.taken[n] == n.process) {
		w.fail(x.t, "%s took a ticket that was used before", n.name)
	}
	x.taken[n], x.t.good[n] = n.process, n.process
	if claims != nil {
		if x.t.supplied() {
			w.checkSupplied(n, x.t, claims)
		}
		sub := n.as(x.whole()).sub
		if x.t.opaque != nil {
			w.checkOpaque(n, x.t, sub)
		}
		if claims.Issuer() != x.t.issuer || claims.Subject() != sub || claims.TokenID() != x.t.jti {
			w.fail(x.t, "%s: a ticket's claims are %s's, %q", n.name, claims.Issuer(), claims.Subject())
		}
		w.begin(n, x.whole(), claims)
	}
}

// request is one with which a ticket is presented by whoever has bought it.
func (x *soldTicket) request() *http.Request { return x.t.certificate.request(origin) }

// whole is the token that a ticket stands for, as it comes by the ticket.
func (x *soldTicket) whole() *token {
	t := *x.t.hold(x.sub)
	t.about, t.seller = "by ticket, "+t.about, x
	return &t
}

// may reports whether a ticket may be taken, used or not.
func (x *soldTicket) may(n *node) bool {
	const life = 60 * time.Second
	if n.local == nil || !n.now().Before(x.expires) || !n.due(x.whole()).accepts() {
		return false
	}
	k := n.w.vault.keys[x.keyID]
	return (n != x.seller || n.process != x.process || time.Since(x.made) < life) && (k == nil || k.removed.IsZero() || k.removedBy != n)
}

// must reports whether a ticket has to be taken: it is new, and everybody is well.
func (x *soldTicket) must(n *node) bool {
	const calm = 15 * time.Minute
	v := n.w.vault
	if x.presented || !x.may(n) || !n.due(x.whole()).must() || n.due(x.t).soon || v.doubtful(n) || time.Since(v.rotated) < 150*time.Second {
		return false
	}
	if n.link != nil {
		if fault, _ := n.link.state(); fault != "" {
			return false
		}
	}
	set := !n.clockSet.IsZero() && time.Since(n.clockSet) < calm
	ahead := !n.now().Add(n.leeway()).Before(x.issued) && x.expires.Before(n.now().Add(time.Minute))
	revoked := slices.ContainsFunc(n.w.revocations, func(r *revocation) bool {
		return r.matches(&token{issuer: localName, keyID: x.keyID, issued: x.issued})
	})
	return !set && ahead && !revoked
}
