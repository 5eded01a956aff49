// Package proxies runs "oidcauth serve" behind nginx, Caddy, HAProxy, Traefik and
// Envoy, each configured as docs/deploy.md says.
package proxies
