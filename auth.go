// Package oidcauth tells a server who is calling.
package oidcauth
