//go:build oidcauth_stdcrypto || boringcrypto || go1.28

package sigcheck

const standardOnly = true
