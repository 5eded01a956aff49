package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Kubernetes describes the service accounts of a cluster, by the value of
// --service-account-issuer ("https://cluster.example.com") and audiences of this
// server, which must not be those of the cluster's API server.
//
// Send the token that a projected volume (serviceAccountToken) with the audience
// puts into the pod; the kubelet renews the file. A token that is also good for
// the API server is refused: whoever is sent one could act there.
//
// The identity rests on the UID of the service account, since namespace and name,
// which "sub" consists of, can be given to another one after deletion. To admit
// some namespaces only, add a rule on the path "kubernetes.io", "namespace". A
// token lives one hour by default: a socket needs the new one from the file.
//
// Several clusters may have the same issuer, "https://kubernetes.default.svc" for
// instance. Assign each a Name and a SubjectPrefix of its own, and Keys of its own:
// their tokens are then told apart by their keys.
//
// Where the cluster's discovery document is not public, assign Keys the address of
// its key set, the certificate of its authority and this server's own token:
//
//	i.Keys = oidcauth.KeysFrom{
//		JWKSURL:   "https://kubernetes.default.svc/openid/v1/jwks",
//		CAFile:    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
//		TokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
//	}
//
// A service account may read it with the role system:service-account-issuer-discovery.
// Elsewhere Keys.JWKS is the answer of "kubectl get --raw /openid/v1/jwks".
func Kubernetes(issuer string, audiences ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("Kubernetes", "issuer", issuer, "the value of --service-account-issuer")
	}
	servers := []string{
		issuer, "https://kubernetes.default.svc.cluster.local", "https://kubernetes.default.svc",
		"https://kubernetes.default", "kubernetes.default.svc", "kubernetes.default",
	}
	for _, audience := range audiences {
		if slices.Contains(servers, audience) {
			return refused("Kubernetes", "audience", audience, "one that is not the API server's")
		}
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256", "ES256", "ES384", "ES512"},
		Subject:    []oidcauth.Path{{"kubernetes.io", "serviceaccount", "uid"}},
		ClaimRules: []oidcauth.ClaimRule{
			{Claim: oidcauth.Path{"aud"}, NotIn: servers},
		},
	}
}
