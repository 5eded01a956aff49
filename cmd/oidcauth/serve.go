package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/origin"
)

// defaultAddr is where serve listens unless told otherwise: not reachable from
// other machines.
const defaultAddr = "127.0.0.1:8080"

// serveFlags are the flags of serve.
type serveFlags struct {
	settings
	addr        string
	resource    string
	keyCacheDir string
	logFormat   string
	checkOnly   bool
}

// serveCommand runs the server.
func serveCommand() command {
	return command{
		name:    "serve",
		summary: "run a server that authenticates requests, alone or behind a proxy",
		about: `
Runs a server that authenticates requests by their bearer token:

  GET /v1/whoami       who the token's bearer is, as JSON
  /v1/forward-auth     for nginx auth_request, Caddy forward_auth, Traefik
                       ForwardAuth, Envoy ext_authz and HAProxy: 200 with the
                       headers X-Auth-Identity, X-Auth-Issuer and
                       X-Auth-Subject, or the refusal
  GET /healthz         200 while the server runs
  GET /readyz          200 once the keys of any issuer are in hand, or of those
                       that the file's "ready_issuers" names, until then 503;
                       the body names those that are missing
  GET /metrics         counters in the Prometheus text format; with the file's
                       "admin" on the listener for operators alone
  GET /.well-known/oauth-protected-resource
                       where clients get their tokens (RFC 9728)

Requests are refused with 401 and a challenge (RFC 6750), or with 503 while the
issuer's keys cannot be had, and a JSON body. A request with more than one token
gets 400, except on /v1/forward-auth, where it is 401: nginx knows only 401 and
403 as refusals, and turns any other answer, 503 too, into a 500 of its own.

In X-Auth-Issuer and X-Auth-Subject every byte that is not visible ASCII, and
"%", is written as "%" and two hexadecimal digits. The proxy must set all three
headers itself, so that none that a client sent gets through. docs/deploy.md has
the configuration of each proxy, and what "forward_auth" of the file does.

The server starts whether or not its issuers answer, and accepts the tokens of
each as soon as its keys have been fetched. It prints one line when it listens,
logs to standard error, and on SIGINT or SIGTERM finishes the requests it has
before it ends, within 10 seconds. Meanwhile it answers new ones 503, and closes
WebSockets with status 1001. What is not finished after 8 seconds is cut off,
which is exit code 1.

On SIGHUP, and when the file of --config or one of "tls" changes, it takes over
the new content: all of it, or with a mistake nothing, which the log and
/metrics tell. No request is refused for that, and no session ends whose token
is still good. What only a restart changes is refused by name: all but
"issuers", "forward_auth", "ready_issuers" and the content of files.

With the file's "admin" a listener of its own, on the loopback interface or a
socket unless told otherwise, has /metrics, health and

  POST /v1/revocations
                       withdraws tokens: a JSON object with "revoke" (token,
                       session, subject, key or issuer), "issuer", and what is
                       revoked: "token_id", "session_id", "subject" or "key_id";
                       a subject and a whole issuer need "issued_before": "now",
                       a time, or of a subject "any" for later tokens too, for
                       good unless "until" says when it ends
  POST /v1/backchannel-logout
                       takes the logout tokens of issuers (OpenID Connect
                       Back-Channel Logout 1.0)

to whoever brings the secret of its file, or a token of an issuer and with a
role that it names, in the Authorization header; nothing to pages.

With --any-issuer the server accepts the tokens of every issuer on the internet
that has a public https URL. Then a token that is accepted proves who its bearer
is, and nothing else: anybody can run an issuer and let it say anything. What
stands behind this server must look at the issuer before it permits anything.
The audience is still required. Roles and scopes of such tokens do not count.
Addresses that are not public are never contacted; a new issuer that cannot be
contacted is answered 401 whatever the reason, which is in the log, and 503
when there are too many new ones. Limit requests by address in front of it.

With --local-issuer the server also issues tokens of its own, and speaks
SpacetimeDB's way of signing in, so that its clients can connect:

  POST /v1/identity    a new identity and a token for it that never expires
  POST /v1/identity/websocket-token
                       a ticket, good once within a minute, for a token
  GET /v1/identity/public-key
                       the keys in PEM, first the one that signs
  GET /v1/identity/{identity}/verify
                       204 if the token is that identity's, else 400
  GET /v1/database/{name}/subscribe
                       a WebSocket that says who the client is, for as long as
                       its token is good, and listens to nothing; a ticket is
                       good for every database
  GET /.well-known/jwks.json
                       the keys; with an https name, the discovery document too

Whoever comes without a token then gets a new identity: what stands behind this
server must tell those from people who signed in, by their issuer. The tokens
are for the audiences given and for "spacetimedb". The directory holds private
keys; "oidcauth issuer" changes them.

The file of --config is a JSON object. All of it is optional:

` + describeMembers(reflect.TypeFor[fileConfig]()) + `
A member of the file that is unknown, that is there twice or that has another
type is an error; all of them are told, each with its line and path.`,
		example: `
oidcauth serve --issuer https://id.example.com --audience my-db
sed 's/^/Authorization: Bearer /' token.txt |
  curl -H @- http://127.0.0.1:8080/v1/whoami`,
		setup: func(flags *flag.FlagSet) action {
			f := new(serveFlags)
			f.register(flags)
			return f.run
		},
	}
}

// register defines the flags.
func (f *serveFlags) register(flags *flag.FlagSet) {
	f.settings.register(flags)
	f.local.register(flags)
	flags.BoolVar(&f.anyIssuer, "any-issuer", false, "accept the tokens of any issuer with a public https URL; needs --audience, or the file's; read above what it means")
	flags.StringVar(&f.addr, "addr", "", "listen on this `HOST:PORT`; port 0 picks a free one; without it "+defaultAddr)
	flags.StringVar(&f.resource, "resource", "", "the `URL` by which clients know this server, for its metadata (RFC 9728); without it the address it listens on, unless that is all interfaces, when no metadata is served")
	flags.StringVar(&f.keyCacheDir, "key-cache-dir", "", "keep the issuers' public keys in this `DIRECTORY`, so that a restart during an issuer's outage accepts its tokens at once")
	flags.BoolVar(&f.checkOnly, "check", false, "say what is wrong with the flags and the file, all of it at once, and end: exit code 0 if nothing is")
	flags.StringVar(&f.logFormat, "log-format", "", "write the log as `FORMAT`, text or json; without it text")
}

// run starts the server and returns when it has ended.
func (f *serveFlags) run(ctx context.Context, std streams, operands []string) error {
	if err := noOperands(operands); err != nil {
		return err
	}
	if f.checkOnly {
		return f.check(ctx, std)
	}
	outliveReaders()
	reload := &reloader{flags: f}
	defer reload.listen()()
	reload.note()
	cfg, file, err := f.library()
	if err != nil {
		return err
	}
	reload.begin(file)
	if cfg.Logger, err = newLogger(std.err, firstOf(file.LogFormat, "text")); err != nil {
		return err
	}
	lines := new(logLines)
	cfg.Logger = lines.counted(cfg.Logger)
	if err := f.tryWithout(cfg, &file); err != nil { // before an address in use hides it
		return err
	}
	if err := file.checkAddrs(ctx); err != nil {
		return err
	}
	ln, err := listenOn(ctx, firstOf(file.Addr, defaultAddr))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: give another one with --addr; port 0 picks a free one", err)
	}
	if err != nil {
		return err
	}
	defer ln.Close()
	parts, err := openParts(&cfg, &file)
	if err != nil {
		return err
	}
	defer parts.close()
	parts.lines = lines
	s, err := f.newServer(cfg, &file, parts, ln.Addr())
	if err != nil {
		return err
	}
	if err := s.admin.open(ctx); err != nil {
		return errors.Join(err, s.auth.Close())
	}
	reload.local = parts.issuers()
	reload.server = s
	f.asking.keep()
	file.warnOfOpenSecrets(cfg.Logger)
	fmt.Fprintf(std.out, "oidcauth: listening on %s://%s\n", file.scheme(), ln.Addr())
	tellSystemd(cfg.Logger, "READY=1\nSTATUS=serving")
	return s.serve(ctx, ln, reload.run)
}

// scheme is that of the server's addresses.
func (file *fileConfig) scheme() string {
	if file.TLS != nil {
		return "https"
	}
	return "http"
}

// library is [settings.library] with the flags of serve alone.
func (f *serveFlags) library() (oidcauth.Config, fileConfig, error) {
	cfg, file, err := f.settings.library()
	file.Addr = firstOf(f.addr, file.Addr)
	file.Resource = firstOf(f.resource, file.Resource)
	file.KeyCacheDir = firstOf(f.keyCacheDir, file.KeyCacheDir)
	file.LogFormat = firstOf(f.logFormat, file.LogFormat)
	cfg.KeyCacheDir, cfg.CacheBytes, cfg.KeepWarm = file.KeyCacheDir, file.CacheBytes, true
	cfg.Extract = file.TokenPlaces.extractor()
	if err != nil {
		return cfg, file, err
	}
	if err := file.checkDirs(); err != nil { // that a flag names
		return cfg, file, usagef("revocations: %w", err)
	}
	return cfg, file, file.bind(&cfg)
}

// listenOn opens the address for HTTP.
func listenOn(ctx context.Context, addr string) (net.Listener, error) {
	if err := checkAddr(ctx, addr); err != nil {
		return nil, err
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", addr)
}

// newLogger returns a logger that writes to w.
func newLogger(w io.Writer, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: ownWordsInLog})), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: ownWordsInLog})), nil
	}
	return nil, usagef("log format %s: want text or json", quoteArgument(format))
}

// firstOf returns the first of its arguments that is not empty.
func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// baseURL returns the URL of a server that listens on addr, or nothing when
// that is an address at which nobody can reach it.
func baseURL(file *fileConfig, addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return ""
	}
	return file.scheme() + "://" + addr.String()
}

// ownOrigin returns the origin of the pages that the server's address serves; there
// is none if that is unknown.
func ownOrigin(resource string) []string {
	u, err := url.Parse(strings.ToLower(resource))
	if err != nil || u.Host == "" {
		return nil
	}
	host := u.Host
	if usual := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; usual != "" {
		host = strings.TrimSuffix(host, usual)
	}
	text := u.Scheme + "://" + host
	if origin.Check(text) != nil {
		return nil // a name in another alphabet: browsers write it otherwise
	}
	return []string{text}
}

// issuerURLs returns the names of the issuers.
func issuerURLs(issuers []oidcauth.Issuer) []string {
	urls := make([]string, 0, len(issuers))
	for _, issuer := range issuers {
		if !slices.Contains(urls, issuer.URL) { // it may have several descriptions
			urls = append(urls, issuer.URL)
		}
	}
	return urls
}
