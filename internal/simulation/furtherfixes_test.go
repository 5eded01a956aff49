package simulation_test

// furtherFixes are those of opaque tokens, supplements, possession, several descriptions
// and kills.
var furtherFixes = []fix{
	{
		"an answer about an opaque token counts for as long as that lives", "supplement.go",
		"!clocks.Reached(now, s.until) && s.refused() == nil", "s.refused() == nil",
	},
	{
		"that an opaque token is good no longer is not noted", "supplement.go",
		"s.another.why.Store(&why)", "_ = s",
	},
	{
		"nobody asks again about the tokens that sessions live by", "sessionindex.go",
		"x.again.Set(&g.again.Alarm, g.claims.askAgainAt())", "_ = x",
	},
	{
		"a session goes on under an opaque token that has become another's", "setissuers.go",
		"if c.record.Identity != was.record.Identity {", "if false {",
	},
	{
		"who asks about tokens that nobody knows stands in no line", "auth.go",
		"return &supplement.Stranger{Caller: callerAddrOf(ctx), Line: line}", "return nil",
	},
	{
		"whoever has a place in that line keeps it", "internal/strangers/turns.go",
		"return surplus > 1 || surplus >= 0 && now.Sub(holder.began) >= q.lent", "return surplus > 1000",
	},
	{
		"an answer that supplements a token counts for as long as that lives", "supplement.go",
		"(c.supplied == nil || !clocks.Reached(now, c.supplied.until)) && ", "",
	},
	{
		"a used proof is not told to the other servers", "dpop/dpop.go",
		"if v.replays == nil {", "if true {",
	},
	{
		"a used proof is forgotten by the server that took it", "dpop/memory.go",
		"m.used[p][use] = struct{}{}", "_ = use",
	},
	{
		"a proof from before the process started counts", "dpop/dpop.go",
		"oldest = start", "_ = start",
	},
	{
		"what becomes of a token while the log is asked about its proof is nobody's concern", "auth.go",
		"return a.goodNow(ctx, c.having(proved.Proved))", "return c.having(proved.Proved), nil",
	},
	{
		"a proof counts for any token", "dpop/dpop.go",
		"if p.tokenHash != hashText(u.Token) {", "if false {",
	},
	{
		"a proof by any key counts", "dpop/dpop.go",
		"if p.thumbprint != u.Thumbprint {", "if false {",
	},
	{
		"what a token that was verified before is bound to is not proved", "auth.go",
		"if err != nil || !a.env.Proves.Any() {", "if err != nil || remembered || !a.env.Proves.Any() {",
	},
	{
		"a session goes on by another key", "internal/bound/renewal.go",
		"if before == nil {\n\t\treturn nil", "if true {\n\t\treturn nil",
	},
	{
		"a token bound to a certificate counts over any connection", "internal/bound/bound.go",
		"if c.Certificate != \"\" {", "if false {",
	},
	{
		"a session goes on by another certificate", "internal/bound/renewal.go",
		", {\"certificate\", before.Certificate, after.Certificate}}", "}",
	},
	{
		"a ticket counts without the certificate of its token", "ticket.go",
		"if cnf.Certificate != \"\" {", "if false {",
	},
	{
		"a call that runs goes on when its session has ended", "context.go",
		"if err := ended(call.SessionOf(ctx), c.claims); err != nil {", "if err := ended(call.SessionOf(ctx), c.claims); err != nil && false {",
	},
	{
		"a call that runs goes on by a token that was revoked, when its session was renewed", "session.go",
		"return s.auth.checkRevoked(c, c.currentKey(), now)", "return nil",
	},
	{
		"nobody is told that a session expires that was renewed", "session.go",
		"x.setWarning(w, due)", "_ = due",
	},
	{
		"the program's rules are not asked about what was verified before", "auth.go",
		"if err := c.trust.checkRules(c); err != nil {", "if err := c.trust.checkRules(c); false {",
	},
	{
		"a token counts about which a rule panics", "trust.go",
		"return refusal.Because(t.allRules(), ErrAnswerUnavailable, err)", "",
	},
	{
		"nobody is asked for the new key of a token without key ID", "internal/verify/lookagain.go",
		"if e.still || e.Token.KeyID.Has && !e.Trust.Keys.ReusesKeyIDs() {", "if true {",
	},
	{
		"a clock that was ahead at the start has all proofs refused", "dpop/dpop.go",
		"v.forgetful = cfg.Replays == nil && (!cfg.Nonces || len(cfg.NonceKey) > 0)", "v.forgetful = cfg.Replays == nil",
	},
	{
		"a subject may look like one of another description's", "internal/claims/subject.go",
		"if strings.HasPrefix(sub, others) {", "if false && others != \"\" {",
	},
	{
		"the keys of one description count for another", "internal/verify/descriptions.go",
		"o.keys == e.Trust.Keys && (", "(",
	},
	{
		"a revocation of one prefix is one of all", "internal/revoked/match.go",
		"(!scoped || prefix == t.Prefix)", "(!scoped || prefix != \"|\")",
	},
	{
		"a revocation of one prefix covers those of others", "internal/revoked/bound.go",
		"(e.Issuer == name || e.Issuer == r.Issuer) && ", "",
	},
	{
		"a session becomes another caller's where issuers change", "setissuers.go",
		"if next.record.Identity != c.record.Identity {", "if false {",
	},
	{
		"a server without a log forgets at its end what it has revoked", "internal/revoked/kept.go",
		"name, err := k.dir.Put(content)", "name, err := nameOf(content), error(nil)",
	},
	{
		"what a killed process has half-written counts", "internal/revoked/dir.go",
		"if !strings.HasSuffix(name, entrySuffix) {", "if false {",
	},
}
