package envoyauth

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

type extensionsKey struct{}

// withExtensions keeps what Envoy's configuration says of the route, for [Extensions].
func withExtensions(ctx context.Context, asked *authv3.AttributeContext) context.Context {
	if said := asked.GetContextExtensions(); len(said) > 0 {
		ctx = context.WithValue(ctx, extensionsKey{}, said)
	}
	return ctx
}

// Extensions returns what Envoy's configuration says of the route that a request takes, to
// Config.Authorize, in the context of the request: context_extensions in the check_settings
// of the route's ExtAuthzPerRoute. No client has a word in it, so that who may is told by
// the route that Envoy has chosen, and needs no path to be read a second time. Nil means
// that it says nothing. Do not change the map.
func Extensions(ctx context.Context) map[string]string {
	said, _ := ctx.Value(extensionsKey{}).(map[string]string)
	return said
}
