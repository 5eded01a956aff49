package grpcauth

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/extract"
	"github.com/oidcauth/oidcauth/possession"
)

const (
	keyAuthorization = "authorization"
	keyProof         = "dpop"
	keyNonce         = "dpop-nonce"
	schemeDPoP       = "DPoP"

	// keyGateway is where grpc-gateway leaves a second copy of the header that it
	// has translated to keyAuthorization.
	keyGateway = "grpcgateway-authorization"
)

// takeToken takes the token out of the incoming metadata, by the same rules as
// out of an HTTP request. Only "authorization" counts; what grpc-gateway's copy
// says must be no other token, and the token leaves every other key, too.
func (g *Guard) takeToken(ctx context.Context) (context.Context, string, possession.Proof, error) {
	md, _ := metadata.FromIncomingContext(ctx) // a copy, its keys in lower case
	proof := possession.Proof{Scheme: "Bearer"}
	values := credentials(md)
	changed := false
	if g.dpop != nil && slices.ContainsFunc(values, isDPoP) {
		proof = possession.Proof{Scheme: schemeDPoP, DPoP: strings.Join(md[keyProof], ",")} // of several a malformed one
		values = asBearer(values)
		for _, key := range []string{keyAuthorization, keyGateway} {
			changed = keep(md, key, func(value string) (string, bool) { return value, !isDPoP(value) }) || changed
		}
		delete(md, keyProof)
	}
	token, err := bearer(values)
	for _, key := range []string{keyAuthorization, keyGateway} {
		changed = removeBearer(md, key) || changed
	}
	if err == nil { // and the token was taken out of its own place
		removeCopies(md, token)
	}
	if changed {
		ctx = metadata.NewIncomingContext(ctx, md)
	}
	return ctx, token, proof, err
}

// isDPoP reports whether a value is a token under the scheme DPoP, well or badly
// written: by the rules of BearerToken, with the one scheme in place of the other.
func isDPoP(value string) bool {
	if len(value) < len(schemeDPoP) || !strings.EqualFold(value[:len(schemeDPoP)], schemeDPoP) {
		return false
	}
	return len(leftOf(inBearer(value))) == 0
}

// inBearer returns the value with the scheme Bearer in place of DPoP.
func inBearer(value string) string { return "Bearer" + value[len(schemeDPoP):] }

// asBearer returns the one value with the scheme Bearer in place of DPoP, by whose
// rules the token is read. Of several none is the token: what is bound is not a bearer
// token as well.
func asBearer(values []string) []string {
	if len(values) > 1 {
		return []string{"Bearer several values"}
	}
	return []string{inBearer(values[0])}
}

// leftOf returns what BearerToken leaves of a value.
func leftOf(value string) http.Header {
	r := &http.Request{Header: http.Header{"Authorization": {value}}}
	oidcauth.BearerToken(r)
	return r.Header
}

// credentials are what the call says in "authorization", and what grpc-gateway
// says beside it that is not the same. There may be hundreds of thousands of each, from
// anybody, so that they are not compared each with each; and as all are the one caller's,
// nobody learns anything from how long it takes.
func credentials(md metadata.MD) []string {
	said := md[keyAuthorization]
	if len(said) == 0 {
		return nil // the gateway's copy alone is no copy, and grants nothing
	}
	known := make(map[string]bool)
	for _, value := range said {
		known[value] = true
	}
	all := slices.Clone(said)
	for _, value := range md[keyGateway] {
		if !known[value] {
			all = append(all, value)
		}
	}
	return all
}

// bearer is [oidcauth.BearerToken] for values that came without HTTP.
func bearer(values []string) (string, error) {
	r := &http.Request{Header: http.Header{}}
	if len(values) > 0 {
		r.Header["Authorization"] = values
	}
	return oidcauth.BearerToken(r)
}

// removeBearer removes the values of a key that BearerToken takes for its own, well
// or badly written. It reports whether there was one.
func removeBearer(md metadata.MD, key string) bool {
	return keep(md, key, func(value string) (string, bool) {
		return value, len(leftOf(value)) > 0
	})
}

// removeCopies cuts the token out of whatever still has it: a cookie or an address
// that a gateway hands on, or a header of its own.
func removeCopies(md metadata.MD, token string) {
	for key := range md {
		keep(md, key, func(value string) (string, bool) { return extract.Without(value, token) })
	}
}

// keep keeps of a key's values what f returns. It reports whether that differs.
func keep(md metadata.MD, key string, f func(value string) (rest string, kept bool)) bool {
	var left []string
	changed := false
	for _, value := range md[key] {
		rest, kept := f(value)
		changed = changed || !kept || rest != value
		if kept {
			left = append(left, rest)
		}
	}
	switch {
	case !changed:
	case len(left) == 0:
		delete(md, key)
	default:
		md[key] = left
	}
	return changed
}
