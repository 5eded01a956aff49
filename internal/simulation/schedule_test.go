package simulation_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// An event is something that happens, as often as its weight says beside the others.
type event struct {
	name   string
	weight int
	do     func(w *world)
}

var events = []event{
	{"rotation", 6, func(w *world) { p := pick(w.random, w.providers); w.note("%s rotates to %s", p.host, p.rotate().ID()) }},
	{"early use of a key", 3, (*world).early},
	{"withdrawal", 5, (*world).withdraw},
	{"fault", 6, func(w *world) { p := pick(w.random, w.providers); p.harm(); w.note("%s %s", p.host, p.fault) }},
	{"recovery", 8, func(w *world) { p := pick(w.random, w.providers); p.heal(); w.note("%s is well", p.host) }},
	{"flood of key IDs", 4, (*world).floodKeyIDs},
	{"flood of strangers", 4, (*world).floodStrangers},
	{"revocation", 9, func(w *world) { w.revoke(w.node()) }},
	{"superseding", 3, (*world).supersede},
	{"narrowing", 3, (*world).narrow},
	{"logout", 5, (*world).logOut},
	{"partition", 5, (*world).partition},
	{"clock", 3, (*world).setClock},
	{"restart", 3, func(w *world) { w.node().restart() }},
	{"kill", 3, func(w *world) { w.kill(w.node()) }},
	{"change of issuers", 3, (*world).changeIssuers},
	{"change of the table", 3, (*world).changeTable},
	{"local keys", 6, (*world).localKeys},
	{"ticket", 12, (*world).useTicket},
	{"introspection", 6, (*world).withdrawOpaque},
	{"registry", 4, (*world).changeRegistry},
	{"flood of opaque tokens", 2, (*world).floodOpaque},
	{"replay", 6, (*world).replay},
	{"session", 10, (*world).useSession},
	{"nothing", 8, func(*world) {}},
}

// step lets one thing happen, and then has clients come.
func (w *world) step() {
	sum := 0
	for _, e := range events {
		sum += e.weight
	}
	if w.beside.IntN(12) == 0 {
		w.changeRules()
	}
	at := w.random.IntN(sum)
	for _, e := range events {
		if at -= e.weight; at < 0 {
			w.tally["event "+e.name]++
			w.tally["events"]++
			e.do(w)
			break
		}
	}
	synctest.Wait()
	w.check()
	for range 1 + w.random.IntN(4) {
		w.visit()
	}
	w.check()
	time.Sleep(w.pause())
	synctest.Wait()
	w.check()
}

// pause is short as a rule, and now and then as long as keys live.
func (w *world) pause() time.Duration {
	switch n := w.random.IntN(100); {
	case w.plan.long && n < 2:
		return w.upTo(26 * time.Hour)
	case w.plan.long && n < 50:
		return w.upTo(time.Hour)
	case n < 60:
		return w.upTo(2 * time.Second)
	case n < 95:
		return w.upTo(30 * time.Second)
	}
	return w.upTo(4 * time.Minute)
}

// visit has a client come with a token, a new one or one of before.
func (w *world) visit() {
	n := w.node()
	t := w.nextToken(n)
	if t == nil {
		return
	}
	if w.plan.proofs != "" && w.chance(6) {
		w.askWith(n, t, shown{w.dishonest(n, t), t.certificate})
		return
	}
	if t.certificate != nil && w.beside.IntN(6) == 0 {
		w.askWith(n, t, shown{w.honestProof(n, t), w.otherCertificate(t)})
		return
	}
	if w.chance(2) {
		w.insist(n, t)
		return
	}
	claims, err := w.ask(n, t)
	if err != nil {
		return
	}
	if w.chance(3) {
		w.begin(n, t, claims)
	}
	if n.local != nil && w.chance(2) {
		w.buy(n, t, claims)
	}
}

func (w *world) nextToken(n *node) *token {
	if len(w.tokens) > 0 && w.chance(2) {
		const young = 30
		return w.tokens[max(0, len(w.tokens)-1-w.random.IntN(young))]
	}
	var t *token
	if n.local != nil && w.chance(4) {
		t = w.issueLocal(n)
	} else if w.plan.opaque && w.chance(4) {
		t = w.issueOpaque(w.providers[0])
	} else {
		t = w.issue(pick(w.random, w.providers))
	}
	if t != nil {
		w.tokens = append(w.tokens, t)
	}
	return t
}

// early has a client come with a token under a key that is published a moment later.
func (w *world) early() {
	p := pick(w.random, w.providers)
	k := p.unpublished()
	t := w.draft(p, k).sign(k)
	t.about = "under a key that is published later"
	w.tokens = append(w.tokens, t)
	n := w.node()
	w.ask(n, t)
	time.Sleep(w.upTo(5 * time.Second))
	p.publish(k)
	w.note("%s publishes %s, which was used before", p.host, k.ID())
	if w.chance(2) {
		time.Sleep(w.upTo(2 * coolDown))
	}
	w.insist(n, t)
}

// withdraw takes a key out of a set, and has somebody look.
func (w *world) withdraw() {
	p := pick(w.random, w.providers)
	if k := p.withdraw(); k != nil {
		w.note("%s withdraws %s", p.host, k.ID())
		w.ask(w.node(), w.unknown(p))
	}
}

// unknown makes a token under a key ID that nobody has, which has its issuer asked.
func (w *world) unknown(p *provider) *token {
	w.serial++
	k := newKey(p.current().WithID(fmt.Sprint("unknown-", w.serial)))
	t := w.draft(p, k)
	t.about, t.unnamed = "under a key ID that nobody has", false
	t.sign(k)
	w.tokens = append(w.tokens, t)
	return t
}

// supersede revokes the tokens of one subject at two issuers, and once more at the
// first: of revocations that are found by one name, each holds by itself.
func (w *world) supersede() {
	n, sub := w.node(), pick(w.random, subjects)
	a, b := w.providers[0], w.providers[1]
	for _, p := range []*provider{a, b, a} {
		if n.trusted[p] == "" && !w.plan.anyone && !w.plan.found {
			return
		}
		time.Sleep(2 * time.Second)
		w.revokeThis(n, oidcauth.Revocation{Issuer: p.URL(), Subject: sub, IssuedBefore: n.now()})
	}
}

// logOut has an issuer tell a server of a logout, and once more.
func (w *world) logOut() {
	p := pick(w.random, w.of(configured))
	n := w.node()
	claims := map[string]any{"aud": audience}
	r := oidcauth.Revocation{Issuer: p.URL()}
	if p.scoped() {
		r.Issuer += "|" // of people alone
	}
	now := time.Now()
	if w.chance(2) {
		r.SessionID = pick(w.random, logins)
		claims["sid"] = r.SessionID
	} else {
		r.Subject = pick(w.random, subjects)
		r.IssuedBefore = now.Truncate(time.Second).Add(time.Second)
		claims["sub"] = r.Subject
	}
	p.SignWith(p.current().Key)
	form := url.Values{"logout_token": {p.LogoutToken(claims)}}.Encode()
	post := func() int {
		request := httptest.NewRequest(http.MethodPost, "/logout", strings.NewReader(form))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		n.auth.LogoutHandler().ServeHTTP(answer, request)
		return answer.Code
	}
	status := post()
	made := &revocation{Revocation: r, origin: n, process: n.process, at: time.Now()}
	w.note("%s is told of a logout, %s: %d", n.name, describe(r), status)
	if status == http.StatusOK {
		made.holds = true
		made.inside = n.link != nil
		made.kept = w.plan.revocationDir
		if w.log != nil && !made.kept && !w.log.covers(made) {
			w.fail(nil, "a logout was answered with 200, and is neither in the log nor in a directory")
		}
	}
	w.keep(made)
	if status == http.StatusOK && n.faultOfLink() == "" && w.chance(2) {
		if again := post(); again != http.StatusBadRequest {
			w.fail(nil, "%s: a logout token for the second time: %d", n.name, again)
		}
	}
	if w.chance(4) { // what is more than the logout, and not all of it
		time.Sleep(2 * time.Second)
		w.revokeThis(n, oidcauth.Revocation{Issuer: p.URL(), IssuedBefore: n.now()})
	}
}

func (n *node) faultOfLink() string {
	if n.link == nil {
		return ""
	}
	fault, _ := n.link.state()
	return fault
}

// partition takes a server's way to the log, or gives it back.
func (w *world) partition() {
	n := w.node()
	if n.link == nil {
		return
	}
	fault := pick(w.random, []string{cutOff, cutOff, full, answers, "", "", ""})
	n.link.set(fault)
	w.note("%s and the log: %q", n.name, fault)
}

// setClock sets a server's clock, mostly by little, and at times right again.
func (w *world) setClock() {
	n := w.node()
	ahead := pick(w.random, []time.Duration{0, 0, 3 * time.Second, -3 * time.Second, 5 * time.Minute, -5 * time.Minute, 2 * time.Hour})
	n.setClock(ahead)
	w.note("%s: the clock is ahead by %v", n.name, ahead)
	if w.chance(2) {
		time.Sleep(clockNoticed + w.upTo(time.Minute))
	}
}

func (w *world) changeIssuers() {
	n, both := w.node(), w.of(configured)
	i := w.random.IntN(len(both))
	aud := pick(w.random, []string{"", "other-db", audience, audience, audience})
	for _, s := range w.sessions { // some are of a token that another description fits as well
		if s.t.also != "" && w.chance(2) {
			n, i, aud = s.n, 1, "other-db"
		}
	}
	if other := both[1-i]; n.trusted[other] == "" {
		aud = audience // one there has to be, or no process starts
	}
	n.setIssuers(both[i], aud)
}

func (w *world) changeTable() {
	if !w.plan.found {
		return
	}
	if w.chance(3) {
		w.table.setDown(w.chance(2))
		w.note("the table is down: %v", w.table.down)
		return
	}
	p := pick(w.random, w.of(found))
	there := w.chance(2)
	w.table.set(p, there)
	w.note("%s is in the table: %v", p.host, there)
}

// localKeys has something happen to the local issuer's keys.
func (w *world) localKeys() {
	n := w.localNode()
	if n == nil {
		if w.vault != nil {
			w.vault.repair()
		}
		return
	}
	switch v := w.vault; w.random.IntN(8) {
	case 0, 1:
		v.rotate(n)
	case 2:
		v.remove(n)
	case 3:
		v.backUp()
	case 4:
		v.restore()
	case 5:
		v.damage()
	default:
		v.repair()
	}
}
