// Package libpq signs PostgreSQL's own client library in to examples/pgwire, by SASL
// OAUTHBEARER.
package libpq
