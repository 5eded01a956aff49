module github.com/oidcauth/oidcauth/benchmarks

go 1.26.0

require github.com/oidcauth/oidcauth v0.0.0

replace github.com/oidcauth/oidcauth => ../
