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
	return isEvictable(r) && slices.ContainsFunc(l.entries[entryKey{entryIssuer, name}], func(e *entry) bool { return e.cutsOff(r, name) })
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

// boundLogouts makes a cutoff of the oldest quarter of an issuer's logouts if
// they are too many. Those that lie ahead wait: a cutoff must not refuse the
// tokens of those who log in now. It looks through all now and then, not at each
// logout more. The lock must be held.
func (l *List) boundLogouts(issuer string, now time.Time) *Revocation {
	tooMany := l.logouts[issuer] - l.maxLogouts
	if tooMany <= 0 || (tooMany-1)%max(l.maxLogouts/64, 1) != 0 {
		return nil
	}
	return l.cutOffOldest(issuer, now)
}

// shorten makes a cutoff of the oldest quarter of the logouts of the issuer that has most,
// though they are not too many. It reports whether one has as many as least.
func (l *List) shorten(least int) bool {
	cutoff := l.cutOffMost(least)
	if cutoff != nil {
		l.announceCutoff(cutoff)
	}
	return cutoff != nil
}

func (l *List) cutOffMost(least int) *Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	var most string
	for issuer, n := range l.logouts {
		if n > l.logouts[most] {
			most = issuer
		}
	}
	if l.closed || l.logouts[most] < least {
		return nil
	}
	return l.cutOffOldest(most, l.cfg.Now())
}

// cutOffOldest makes a cutoff of the oldest quarter of an issuer's logouts that do not lie
// ahead. The lock must be held.
func (l *List) cutOffOldest(issuer string, now time.Time) *Revocation {
	cutoff := Revocation{Issuer: issuer}
	var all []*entry
	for _, e := range l.byEnd {
		switch {
		case e.Issuer != issuer:
		case isCutoff(&e.Revocation):
			cutoff.Until = latest(cutoff.Until, e.Until)
		case isEvictable(&e.Revocation) && !coveredFrom(&e.Revocation).After(now):
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return coveredFrom(&a.Revocation).Compare(coveredFrom(&b.Revocation))
	})
	all = all[:(len(all)+3)/4]
	if len(all) == 0 {
		return nil
	}
	for _, e := range all {
		cutoff.IssuedBefore = coveredFrom(&e.Revocation)
		cutoff.Until = latest(cutoff.Until, e.Until)
		l.drop(e)
	}
	l.insert(cutoff, now, true)
	return &cutoff
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// LimitLogouts bounds how many revocations of an issuer are kept that can be evicted
// for a cutoff: those that logouts are, above all. It counts for those that there
// are already, too. A new list has no bound.
func (l *List) LimitLogouts(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maxLogouts = most
	for issuer := range l.logouts {
		for l.boundLogouts(issuer, l.cfg.Now()) != nil {
		}
	}
}
