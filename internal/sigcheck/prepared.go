//go:build !oidcauth_stdcrypto && !boringcrypto

package sigcheck

const standardOnly = false
