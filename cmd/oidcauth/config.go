package main

import (
	"net/netip"
	"os"
	"reflect"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/cmd/oidcauth/internal/members"
)

// fileConfig is the configuration file, and with the flags applied to it the
// configuration. What a command has no use for it ignores, so that serve,
// explain and keys can share one file.
//
// It is also the table of what the file may hold: package members reads the file by
// it, and makes of it the schema and the help. A setting is one field more. With
// live:"true" it is one that a running server takes a change of, which is to be done
// in reload.go; any other change there is refused by name.
type fileConfig struct {
	// Schema lets editors help; it says nothing to the command.
	Schema string `json:"$schema" about:"where this schema is, for editors" live:"true"`

	// Issuers are the issuers, each with the audiences that go with it.
	Issuers []oidcauth.Issuer `json:"-"`

	// Introspections say how those of them are asked about opaque tokens that are.
	Introspections map[int]*introspectionConfig `json:"-"`

	// Described are the issuers in the form that the file has.
	Described []describedIssuer `json:"issuers" about:"whose tokens are accepted: a list of issuers, each with \"url\", \"audiences\" and, as needed, what else \"oidcauth config schema\" lists, such as \"roles\" or \"introspection\"" live:"true"`

	// AnyIssuer is what --any-issuer stands for; absent means that the
	// issuers of strangers are not accepted.
	AnyIssuer *oidcauth.AnyIssuer `json:"any_issuer" about:"means --any-issuer; has \"audiences\", \"token_types\" and the other fields of oidcauth.AnyIssuer"`

	// LocalIssuer is what --local-issuer stands for; absent means that
	// the server issues nothing.
	LocalIssuer *localConfig `json:"local_issuer" about:"means --local-issuer"`

	// Leeway is a duration such as "30s"; "0s" means none, absent means 30 s.
	Leeway leeway `json:"leeway" about:"how much clocks may differ by, as \"10s\"; \"0s\" for not at all, 30s without it"`

	// Addr, Resource, KeyCacheDir and LogFormat are what the flags of serve
	// with the same names set.
	Addr        string `json:"addr" about:"where to listen, as \"127.0.0.1:8080\""`
	Resource    string `json:"resource" about:"the URL by which clients know this server"`
	KeyCacheDir string `json:"key_cache_dir" about:"a directory for the issuers' public keys"`
	LogFormat   string `json:"log_format" about:"the form of the log: text or json" values:"text json"`

	// Proxies are the proxies, as "10.0.0.0/8", that say in X-Forwarded-For or
	// Forwarded who is calling. It matters with AnyIssuer and Introspections.
	Proxies []netip.Prefix `json:"proxies" about:"addresses, as \"10.0.0.0/8\", of the proxies in front, whose X-Forwarded-For or Forwarded says who is calling: with any_issuer or introspection no caller then uses up others' turns"`

	// TokenPlaces are where serve looks for tokens; absent means in the
	// Authorization header.
	TokenPlaces *places `json:"token_places" about:"where tokens are looked for besides the Authorization header"`

	// ReadyIssuers are those whose keys the server needs to be ready; none means any
	// one of the issuers.
	ReadyIssuers []string `json:"ready_issuers" about:"the issuers, by \"url\", whose keys must be in hand before /readyz says yes; without it those of any one" live:"true"`

	// TLS encrypts connections; absent means that a proxy does.
	TLS *tlsConfig `json:"tls" about:"the certificate, where no proxy in front encrypts connections"`

	// Watch is how often the files are looked at for changes.
	Watch duration `json:"watch" about:"how often this file, those of tls and admin, and the ca_file of issuers with introspection are looked at for changes, as \"10s\"; 2s without it, \"0s\" for never: then SIGHUP alone reloads them"`

	// Admin is the listener for operators; absent means that there is none.
	Admin *adminConfig `json:"admin" about:"a listener of its own for operators: /metrics, which then is there alone, /healthz, /readyz, POST /v1/revocations and /v1/backchannel-logout"`

	// BackchannelLogout serves that on the main listener, too.
	BackchannelLogout bool `json:"backchannel_logout" about:"true to serve POST /v1/backchannel-logout to everybody, for issuers that cannot reach the admin listener"`
	// Forward says what proxies are told; absent means who is calling.
	Forward *forwardConfig `json:"forward_auth" about:"what a proxy in front is told: docs/deploy.md has the configuration of each" live:"true"`

	// Revocations are kept, or shared with other servers; absent means that they
	// are this server's alone, in memory.
	Revocations *revocationsConfig `json:"revocations" about:"how revocations are kept over a restart, and shared, with tickets that were used, with other servers"`

	// MaxTokenLifetime is the library's setting.
	MaxTokenLifetime positive `json:"max_token_lifetime" about:"how long tokens may live, as \"24h\": longer ones are refused; it bounds how long revocations are kept"`

	// DPoP and ClientCertificates say how possession is proved of what tokens are bound
	// to; absent or empty means that such tokens are refused.
	DPoP               *dpopConfig `json:"dpop" about:"accept tokens that are bound to a key, with proof (RFC 9449)"`
	ClientCertificates string      `json:"client_certificates" about:"accept tokens that are bound to a client's certificate (RFC 8705): that of the \"connection\", or one that \"proxies\" name in a header, \"client-cert\" (RFC 9440) or Envoy's \"x-forwarded-client-cert\"" values:"connection client-cert x-forwarded-client-cert"`

	// MaxTokenBytes and CacheBytes are the library's settings; zero means
	// its defaults, and a negative CacheBytes no cache of verified tokens.
	MaxTokenBytes int   `json:"max_token_bytes" about:"the longest token, in bytes, that is looked at"`
	CacheBytes    int64 `json:"cache_bytes" about:"memory for verified tokens; negative for no cache, with which opaque tokens are asked about again each second, a hundred a second in all"`
}

// A describedIssuer is an issuer as a file describes it.
type describedIssuer struct {
	oidcauth.Issuer

	// HTTPProxy is that through which its keys are fetched; absent means the one that
	// the environment names.
	HTTPProxy httpProxy `json:"http_proxy" about:"the proxy through which this issuer is reached, as \"http://proxy.example.com:3128\"; without it that of HTTPS_PROXY"`

	// Leeway is a duration such as "30s"; "0s" means none, absent means that of all.
	Leeway leeway `json:"leeway" about:"how much this issuer's clock may differ, as \"10s\"; \"0s\" for not at all, without it as for all"`

	// Introspection says how the issuer is asked about opaque tokens; absent means that
	// its tokens are JWTs.
	Introspection *introspectionConfig `json:"introspection" about:"how the issuer is asked what its opaque tokens stand for; then the description is of these alone"`

	// Bound takes the place of the library's, in which an empty text, of a variable that
	// nobody set, would accept tokens that are bound to nothing.
	Bound string `json:"bound" about:"\"require\" for tokens that are bound to a key or a certificate alone, \"refuse\" for none that is; without it both" values:"require refuse"`

	// AnswerAge is a duration such as "30s"; absent means a minute.
	AnswerAge positive `json:"answer_age" about:"how long an answer about an opaque token counts, as \"30s\"; a minute without it"`
}

// Check implements [members.Checker], and puts the directory of systemd's credentials
// into the names of files.
func (d *describedIssuer) Check(report func(member, text string)) {
	if d.Tenants != nil && len(d.Tenants) == 0 {
		report("tenants", "the list is empty, which accepts everybody's tenants: leave it out if that is meant")
	}
	if d.ClaimRules != nil && len(d.ClaimRules) == 0 {
		report("claim_rules", "the list is empty, and demands nothing: leave it out if that is meant")
	}
	if d.Roles != nil && len(d.Roles) == 0 {
		report("roles", `the list is empty, and the claim "roles" would count: leave it out if that is meant, or name another one`)
	}
	if d.Algorithms != nil && len(d.Algorithms) == 0 {
		report("algorithms", "the list is empty, and all that are safe would count: leave it out if that is meant")
	}
	if d.TokenTypes != nil && len(d.TokenTypes) == 0 {
		report("token_types", "the list is empty, and plain JWTs would count, such as ID tokens: leave it out if that is meant")
	}
	if d.HTTPProxy.url != nil && len(d.Keys.JWKS) > 0 {
		report("http_proxy", "nothing is fetched where the keys stand in the file")
	}
	if d.HTTPProxy.url != nil && (d.Keys.InsecureHTTP || len(d.Keys.InsecureHTTPHosts) > 0) {
		report("http_proxy", errPlainProxy.Error())
	}
	for _, file := range []struct {
		member string
		name   *string
	}{{"ca_file", &d.Keys.CAFile}, {"token_file", &d.Keys.TokenFile}} {
		name, err := expandFileName(*file.name)
		if err != nil {
			report("keys", file.member+": "+err.Error())
		}
		*file.name = name
	}
}

// issuer returns the description in the library's form.
func (d describedIssuer) issuer() oidcauth.Issuer {
	d.Issuer.Leeway = d.Leeway.config()
	d.Keys.Client = d.HTTPProxy.client()
	d.Issuer.AnswerAge = d.AnswerAge.or(0)
	d.Issuer.Bound = d.Bound
	return d.Issuer
}

// fileTable reads the file.
var fileTable = members.Table{NoNull: true, About: libraryAbout, Schemas: map[reflect.Type]map[string]any{
	reflect.TypeFor[leeway]():   {"type": "string", "pattern": durationPattern},
	reflect.TypeFor[duration](): {"type": "string", "pattern": durationPattern},
	reflect.TypeFor[positive](): {"type": "string", "pattern": durationPattern},
	reflect.TypeFor[filled]():   {"type": "string", "minLength": 1},
}}

// durationPattern is what [time.ParseDuration] reads, less what is negative.
const durationPattern = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$`

// readConfig reads a configuration file; no name means an empty one.
func readConfig(name string) (fileConfig, error) {
	if name == "" {
		return fileConfig{}, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fileConfig{}, usageError{err}
	}
	return parseNamed(name, data)
}

// parseNamed is [parseConfig] with errors that name the file.
func parseNamed(name string, data []byte) (fileConfig, error) {
	file, err := parseConfig(data)
	if err != nil {
		return fileConfig{}, usageError{inFile(name, err)}
	}
	return file, nil
}

// parseConfig reads one JSON object. A member that is unknown, or that comes
// twice, is an error: a misspelt setting must not be a setting left out. The error
// tells everything that is wrong.
func parseConfig(data []byte) (fileConfig, error) {
	var file fileConfig
	if err := fileTable.Read(data, &file); err != nil {
		return fileConfig{}, err
	}
	for i, d := range file.Described {
		file.Issuers = append(file.Issuers, d.issuer())
		if d.Introspection != nil {
			if file.Introspections == nil {
				file.Introspections = make(map[int]*introspectionConfig)
			}
			file.Introspections[i] = d.Introspection
		}
	}
	file.Described = nil
	return file, nil
}
