package oidcauth

// Shard returns in which part of the index sessions under claims are.
func Shard(a *Authenticator, c *Claims) uint8 {
	g, err := a.sessions.pin(c)
	if err != nil {
		panic(err)
	}
	defer a.sessions.unpin(g)
	return g.place
}

// Admits returns why no session can begin under claims, whatever they say.
func Admits(a *Authenticator, c *Claims) error {
	g, err := a.sessions.pin(c)
	if err == nil {
		a.sessions.unpin(g)
	}
	return err
}

// Grants counts what sessions live by: one for each token, unless they do not share.
func Grants(a *Authenticator) (n int) {
	for range a.sessions.all() {
		n++
	}
	return n
}

// Neighbours returns for how many sessions there is memory where this one is kept.
func (s *Session) Neighbours() int { return cap(s.grant.Load().sessions) }

// EndUnderAnother has the session ended as those are that live by something else, and
// reports whether it counts as one of them.
func (s *Session) EndUnderAnother(cause error) bool { return s.endUnder(new(grant), cause) }
