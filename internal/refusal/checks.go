package refusal

// The names of the checks, as a refusal and a report give them.
const (
	Form          = "form"
	Issuer        = "issuer"
	Algorithm     = "algorithm"
	Key           = "key"
	Signature     = "signature"
	Introspection = "introspection" // of an opaque token, in place of the three above
	Expiry        = "expiry"
	NotBefore     = "not before"
	IssuedAt      = "issued at"
	Audience      = "audience"
	Type          = "type"
	Subject       = "subject"
	Claims        = "claims"
	Rules         = "rules"
	Revocation    = "revocation"
	Possession    = "possession" // of what a token is bound to, at each use
	Supplement    = "supplement" // where a description says who supplies more
	AllRules      = "all rules"  // there too: those that see what was supplied
	Session       = "session"    // of a session alone
	Ticket        = "ticket"     // of a ticket alone
	Logout        = "logout"     // of a logout token alone
	Request       = "request"    // of what carries the token
	Caller        = "caller"     // of what a handler demands
)
