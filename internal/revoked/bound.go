package revoked

import (
	"slices"
	"strings"
	"time"
)

// A cutoff is an ordinary revocation of all tokens that an issuer issued before
// some time. It takes the place of many logouts: a token that one of them revoked
// was issued before it too.

// coveredFrom returns the least time of a cutoff of the issuer that refuses what
// the revocation does, or the zero time if none does. For a login session, whose
// tokens are refused whenever they were issued, that is what was issued until it
// ended; most issuers write whole seconds. A revocation of a key is also of what
// was sold under it, on tokens of other issuers.
func coveredFrom(r *Revocation) time.Time {
	switch {
	case r.Issuer == "" || r.KeyID != "":
		return time.Time{}
	case !r.IssuedBefore.IsZero():
		return r.IssuedBefore
	case r.SessionID != "" && !r.EndedAt.IsZero():
		return r.EndedAt.Truncate(time.Second).Add(time.Second)
	}
	return time.Time{}
}

func isCutoff(r *Revocation) bool {
	return r.pattern() == Revocation{Issuer: r.Issuer} && !r.IssuedBefore.IsZero()
}

// isEvictable reports whether a revocation is one of those that are bounded: a
// cutoff can take its place.
func isEvictable(r *Revocation) bool { return !coveredFrom(r).IsZero() && !isCutoff(r) }

// isCutOff reports whether a cutoff has taken the place of a revocation already. For
// the logout of a login session that is one of boundLogouts alone: another, which
// somebody has made of all that the issuer issued so far, says nothing of the tokens of
// that session that are issued from then on. One of the callers of one prefix says
// nothing of the issuer's others. The lock must be held.
func (l *List) isCutOff(r *Revocation) bool {
	name, _, _ := strings.Cut(r.Issuer, "|")
	return isEvictable(r) && slices.ContainsFunc(l.entries[entryKey{field: entryIssuer, value: name}], func(e *entry) bool { return e.cutsOff(r, name) })
}

// cutsOff reports whether e is a cutoff that has taken the place of a revocation, which
// can be evicted and is of the issuer of that name.
func (e *entry) cutsOff(r *Revocation, name string) bool {
	return isCutoff(&e.Revocation) && (e.Issuer == name || e.Issuer == r.Issuer) && (e.replaces || !r.IssuedBefore.IsZero()) &&
		!e.IssuedBefore.Before(coveredFrom(r)) && !e.Until.Before(r.Until)
}

// cutoffs returns all cutoffs by the names of their issuers.
func (l *List) cutoffs() map[string][]entry {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make(map[string][]entry)
	for _, e := range l.byEnd {
		if isCutoff(&e.Revocation) {
			name, _, _ := strings.Cut(e.Issuer, "|")
			all[name] = append(all[name], *e)
		}
	}
	return all
}

// severalLogouts is how many times as many logouts are kept of all issuers as of one, and
// fewLogouts of how many of one issuer a cutoff is made at least for the sake of others:
// it takes the place of four.
const (
	severalLogouts = 8
	fewLogouts     = 16
)

// boundLogouts makes a cutoff of the oldest quarter of an issuer's logouts if
// they are too many. Those that lie ahead wait: a cutoff must not refuse the
// tokens of those who log in now. It looks through all now and then, not at each
// logout more. The lock must be held.
func (l *List) boundLogouts(issuer string, now time.Time) []Revocation {
	if !isTime(l.logouts[issuer], l.maxLogouts) {
		return nil
	}
	return l.cutOffOldest(now, func(other string) bool { return other == issuer })
}

// boundAllLogouts makes cutoffs, as shorten does, until those of all issuers are not too
// many: there may be any number of issuers. Where hardly any of them has enough to make
// room, the next of this comes some logouts later, since it looks through all of them. The
// lock must be held.
func (l *List) boundAllLogouts(now time.Time) (all []Revocation) {
	for l.allLogouts > l.maxAllLogouts {
		before := l.allLogouts
		cutoffs := l.cutOffMost(now, l.maxAllLogouts/64, fewLogouts)
		all = append(all, cutoffs...)
		if len(cutoffs) == 0 || before-l.allLogouts < l.maxAllLogouts/1024 {
			break
		}
	}
	l.tooManyLogouts = l.maxAllLogouts
	if room := l.maxAllLogouts - l.allLogouts; room < l.maxAllLogouts/1024 {
		l.tooManyLogouts = l.someMoreLogouts()
	}
	return all
}

// someMoreLogouts returns how many are kept at most before all are looked through again
// where that makes no room.
func (l *List) someMoreLogouts() int { return l.allLogouts + l.maxAllLogouts/64 }

// isTime reports whether there are so many more than most that they are looked through.
func isTime(n, most int) bool {
	tooMany := n - most
	return tooMany > 0 && (tooMany-1)%max(most/64, 1) == 0
}

// shorten makes a cutoff of the oldest quarter of the logouts of the issuer that has most,
// though they are not too many, if that has as many as many. If none has, it makes one for
// each issuer that has as many as few. It reports whether there is any.
func (l *List) shorten(many, few int) bool {
	cutoffs := l.shortened(many, few)
	l.announceCutoffs(cutoffs)
	return len(cutoffs) > 0
}

func (l *List) shortened(many, few int) []Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.cutOffMost(l.cfg.Now(), many, few)
}

// cutOffMost makes the cutoffs of shorten. The lock must be held.
func (l *List) cutOffMost(now time.Time, many, few int) []Revocation {
	var most string
	for issuer, n := range l.logouts {
		if n > l.logouts[most] {
			most = issuer
		}
	}
	isMany := l.logouts[most] >= many
	return l.cutOffOldest(now, func(issuer string) bool {
		if isMany {
			return issuer == most
		}
		return l.logouts[issuer] >= few
	})
}

// logouts are those of an issuer that do not lie ahead, and until when its cutoffs last.
type logouts struct {
	all   []*entry
	until time.Time
}

// cutOffOldest makes a cutoff of the oldest quarter of the logouts of each issuer that is
// meant, of those that do not lie ahead. The lock must be held.
func (l *List) cutOffOldest(now time.Time, meant func(issuer string) bool) []Revocation {
	found := make(map[string]*logouts)
	for issuer := range l.logouts {
		if meant(issuer) {
			found[issuer] = new(logouts)
		}
	}
	for _, e := range l.byEnd {
		of := found[e.Issuer]
		switch {
		case of == nil:
		case isCutoff(&e.Revocation):
			of.until = latest(of.until, e.Until)
		case isEvictable(&e.Revocation) && !coveredFrom(&e.Revocation).After(now):
			of.all = append(of.all, e)
		}
	}
	var cutoffs []Revocation
	for issuer, of := range found {
		if len(of.all) > 0 {
			cutoffs = append(cutoffs, l.cutOff(issuer, of, now))
		}
	}
	return cutoffs
}

// cutOff makes a cutoff of the oldest quarter of an issuer's logouts, of which there is one
// at least. The lock must be held.
func (l *List) cutOff(issuer string, of *logouts, now time.Time) Revocation {
	slices.SortFunc(of.all, func(a, b *entry) int {
		return coveredFrom(&a.Revocation).Compare(coveredFrom(&b.Revocation))
	})
	cutoff := Revocation{Issuer: issuer, Until: of.until}
	for _, e := range of.all[:(len(of.all)+3)/4] {
		cutoff.IssuedBefore = coveredFrom(&e.Revocation)
		cutoff.Until = latest(cutoff.Until, e.Until)
		l.drop(e)
	}
	l.insert(cutoff, now, true)
	return cutoff
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// LimitLogouts bounds how many revocations of an issuer are kept that can be evicted
// for a cutoff: those that logouts are, above all; and of all issuers several times as
// many. It counts for those that there are already, too. A new list has no bound.
func (l *List) LimitLogouts(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maxLogouts, l.maxAllLogouts, l.tooManyLogouts = most, severalLogouts*most, severalLogouts*most
	if len(l.logouts) == 0 {
		return // and nobody is asked for the time, who may not be able to tell it yet
	}
	now := l.cfg.Now()
	for issuer := range l.logouts {
		for l.boundLogouts(issuer, now) != nil {
		}
	}
	l.boundAllLogouts(now)
}
