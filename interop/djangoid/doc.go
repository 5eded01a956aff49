// Package djangoid holds tests of the library against a provider built with
// django-oauth-toolkit, whose ID tokens are what can be sent: its access tokens are
// opaque. They run where the toolkit has been installed.
package djangoid
