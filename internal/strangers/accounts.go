package strangers

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

const (
	// remembered is how long a caller's last turn counts against them. Then they
	// are as one who never had any.
	remembered = 10 * time.Second

	// maxShares bounds the callers who are looked at for one turn.
	maxShares = 8
)

// translated are the IPv6 addresses in which translators write IPv4 ones (RFC 6052,
// section 2.1, and RFC 8215): there, one network is all of IPv4, and nobody chooses a place.
var translated = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48")}

// Account returns what is accounted together with an address: the network of an
// IPv6 address, 64 bits of it, since whoever has one address there has them all.
// The zero address is the account of those who have none.
func Account(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() && !slices.ContainsFunc(translated, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		prefix, _ := addr.Prefix(64)
		return prefix.Addr()
	}
	return addr
}

// An account is what one caller holds and waits for. It is guarded by the lock of
// its turns.
type account struct {
	running int
	waiting int
	served  time.Time // when the last turn began; zero for a newcomer
}

// accounts holds those of all callers who wait, have a turn or had one lately.
type accounts map[netip.Addr]*account

// of returns a caller's account. It clears those away that say nothing any more,
// when there are many.
func (a accounts) of(caller netip.Addr, now time.Time) *account {
	if found := a[caller]; found != nil {
		if found.forgotten(now) {
			*found = account{}
		}
		return found
	}
	// At powers of two only: clearing costs as much as there are.
	if n := len(a); n >= 64 && n&(n-1) == 0 {
		for other, account := range a {
			if account.forgotten(now) {
				delete(a, other)
			}
		}
	}
	made := new(account)
	a[caller] = made
	return made
}

// forgotten reports whether an account says nothing any more.
func (a *account) forgotten(now time.Time) bool {
	return a.running+a.waiting == 0 && now.Sub(a.served) >= remembered
}

// add puts the turn on one more account.
func (t *turn) add(a *account) {
	if slices.Contains(t.accounts, a) {
		return
	}
	t.accounts = append(t.accounts, a)
	if t.began.IsZero() {
		a.waiting++
	} else {
		a.running++
	}
}

// drop takes the turn off an account.
func (t *turn) drop(a *account) {
	i := slices.Index(t.accounts, a)
	t.accounts = slices.Delete(t.accounts, i, i+1)
	if t.began.IsZero() {
		a.waiting--
	} else {
		a.running--
	}
}

// byClaim orders accounts by the claim that their callers have to a turn, the best
// first.
func byClaim(a, b *account) int {
	return cmp.Or(cmp.Compare(a.running, b.running), a.served.Compare(b.served), cmp.Compare(a.waiting, b.waiting))
}

// held returns how many places the caller of the turn holds who holds fewest.
func (t *turn) held() int {
	return t.least(func(a *account) int { return a.running })
}

// queued returns how many turns the caller of the turn waits for who waits for
// fewest.
func (t *turn) queued() int {
	return t.least(func(a *account) int { return a.waiting })
}

func (t *turn) least(of func(*account) int) int {
	least := of(t.accounts[0])
	for _, a := range t.accounts[1:] {
		least = min(least, of(a))
	}
	return least
}

// served returns when the caller of the turn last had one whose last is the
// longest ago.
func (t *turn) served() time.Time {
	first := t.accounts[0].served
	for _, a := range t.accounts[1:] {
		if a.served.Before(first) {
			first = a.served
		}
	}
	return first
}

// bySeniority orders turns by when they are due.
func bySeniority(a, b *turn) int {
	return cmp.Or(a.served().Compare(b.served()), a.arrived.Compare(b.arrived))
}
