package issuers

import (
	"github.com/oidcauth/oidcauth"
)

// clientPrefix stands before the subjects of clients where people and clients are
// named in one space, so that no person can be a client, nor a client a person.
const clientPrefix = "client:"

// ofPeople demands a token of somebody who signed in with one of the clients. A
// client's own token has the client's ID as subject at these providers: one that
// anybody may register, under the name of a person, is not among the clients, and those
// that are must not be the subject.
func ofPeople(clientIDs []string) []oidcauth.ClaimRule {
	return []oidcauth.ClaimRule{claimIn(clientIDs, "client_id"), notClients(clientIDs)}
}

// notClients demands that the subject is none of the clients.
func notClients(clientIDs []string) oidcauth.ClaimRule {
	return oidcauth.ClaimRule{Claim: oidcauth.Path{"sub"}, NotIn: claimIn(clientIDs).In}
}

// noClients demands a token that no client got for itself, whichever it is.
func noClients() oidcauth.ClaimRule {
	return oidcauth.ClaimRule{Claim: oidcauth.Path{"sub"}, Differs: oidcauth.Path{"client_id"}}
}

// asServices makes a description one of clients that act for themselves.
func asServices(i *oidcauth.Issuer, clientIDs []string, rules ...oidcauth.ClaimRule) {
	i.Name, i.SubjectPrefix = "services", clientPrefix
	i.ClaimRules = append(rules, claimIn(clientIDs, "sub"))
}
