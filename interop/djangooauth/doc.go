// Package djangooauth tests opaque tokens with a provider built with
// django-oauth-toolkit, which the tests start on the loopback interface.
package djangooauth
