package main

// Check implements [members.Checker], with what members of the file say of each other.
func (file *fileConfig) Check(report func(member, text string)) {
	if err := file.checkDirs(); err != nil {
		report("revocations", err.Error())
	}
	if anyone := file.AnyIssuer; anyone != nil && anyone.ClaimRules != nil && len(anyone.ClaimRules) == 0 {
		report("any_issuer", `its "claim_rules" are an empty list, which demands nothing: leave it out if that is meant`)
	}
	if anyone := file.AnyIssuer; anyone != nil && (anyone.Algorithms != nil && len(anyone.Algorithms) == 0 || anyone.TokenTypes != nil && len(anyone.TokenTypes) == 0) {
		report("any_issuer", `its "algorithms" or "token_types" are an empty list, and the usual ones would count: leave it out if that is meant`)
	}
	if local := file.LocalIssuer; local != nil && file.MaxTokenLifetime.given && local.TokenLifetime.value > file.MaxTokenLifetime.value {
		report("local_issuer", `its "token_lifetime" is longer than "max_token_lifetime": its own tokens would be refused`)
	}
	if file.DPoP != nil && file.TokenPlaces != nil && file.TokenPlaces.IgnoreAuthorization {
		report("dpop", `a token with a proof stands in the Authorization header alone, which "token_places" ignores`)
	}
	if file.Admin != nil && !file.Admin.isLocal() && file.TLS == nil {
		report("admin", `other machines reach its "addr", and without "tls" everybody between reads the secret`)
	}
}
