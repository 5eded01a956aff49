package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// revocationsConfig is "revocations" of the configuration file.
type revocationsConfig struct {
	NATS    *natsConfig `json:"nats" about:"shares them through two streams of NATS JetStream, of version 2.11 or later"`
	Dir     string      `json:"dir" about:"a directory, of this server alone, so that a restart loses none: without \"nats\" for all, and else for those that wait to be shared"`
	Require bool        `json:"require" about:"true to refuse every token while it is not known what others have revoked"`
}

// dir returns where revocations are kept. It may be called on nil.
func (c *revocationsConfig) dir() string {
	if c == nil {
		return ""
	}
	return c.Dir
}

// shares reports whether other servers have them, too. It may be called on nil.
func (c *revocationsConfig) shares() bool { return c != nil && c.NATS != nil }

// Check implements [members.Checker].
func (c *revocationsConfig) Check(report func(member, text string)) {
	switch {
	case c.NATS == nil && c.Dir == "":
		report("", `want "nats", which shares them, or "dir", which keeps those of a single server over a restart`)
	case c.NATS == nil && c.Require:
		report("require", `want "nats": nobody else revokes`)
	}
}

// natsConfig says where NATS is, and who this server is there.
type natsConfig struct {
	Servers           []string `json:"servers" about:"their addresses, as \"tls://nats.example.com:4222\""`
	CAFile            fileName `json:"ca_file" about:"certificates (PEM) that theirs must lead to, in place of the system's"`
	CertFile          fileName `json:"cert_file" about:"this server's certificate (PEM), where they ask for one"`
	KeyFile           fileName `json:"key_file" about:"its private key (PEM)"`
	CredentialsFile   fileName `json:"credentials_file" about:"a file as nsc makes it, with this server's JWT and seed"`
	TokenFile         fileName `json:"token_file" about:"a file with a token, for servers that want one"`
	Stream            string   `json:"stream" about:"the name of the stream of revocations; that of used tickets has _uses at its end; without it oidcauth_revocations"`
	Replicas          int      `json:"replicas" about:"how many NATS servers keep a copy, when the streams are made: 3 in a cluster, without it 1"`
	MaxBytes          int64    `json:"max_bytes" about:"bounds the stream of revocations, when it is made; without it nothing does"`
	Grace             duration `json:"grace" about:"how long contact may be lost before that counts, as \"5s\"; without it not at all"`
	InsecurePlaintext bool     `json:"insecure_plaintext" about:"true to connect without TLS to other machines: whoever is between can revoke, and undo it"`
}

// Check implements [members.Checker].
func (c *natsConfig) Check(report func(member, text string)) {
	if len(c.Servers) == 0 {
		report("", `want "servers"`)
	}
	for _, server := range c.Servers {
		if err := c.checkServer(server); err != nil {
			report("servers", err.Error())
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		report("", `want both "cert_file" and "key_file"`)
	}
	if c.CredentialsFile != "" && c.TokenFile != "" {
		report("", `"credentials_file" and "token_file" exclude each other`)
	}
	if strings.ContainsFunc(c.Stream, notInStreamName) {
		report("stream", `want letters, digits, "-" and "_"`)
	}
	if c.Replicas < 0 || c.MaxBytes < 0 {
		report("", `"replicas" and "max_bytes" must not be negative`)
	}
}

func notInStreamName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// checkServer reports an address that is none, has a secret in it, or is reached
// without TLS.
func (c *natsConfig) checkServer(server string) error {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"nats", "tls"}, u.Scheme):
		return errors.New("want addresses such as tls://nats.example.com:4222")
	case u.User != nil:
		return errors.New(`there is a secret in an address: put it into a file, and that into "credentials_file" or "token_file"`)
	case u.Scheme == "nats" && !c.secure() && !isLoopback(u.Hostname()) && !c.InsecurePlaintext:
		return fmt.Errorf(`nats://%s is reached without TLS: write tls://, or "insecure_plaintext"`, u.Host)
	}
	return nil
}

// secure reports whether every connection is encrypted, whatever the address says.
func (c *natsConfig) secure() bool { return c.CAFile != "" || c.CertFile != "" }

// staysHere reports whether connections are in plain text, because they stay on this
// machine.
func (c *natsConfig) staysHere() bool {
	isTLS := func(server string) bool { return strings.HasPrefix(server, "tls:") } // which then is for all
	return !c.secure() && !c.InsecurePlaintext && !slices.ContainsFunc(c.Servers, isTLS)
}

// log returns what shares revocations by the streams of js.
func (c *natsConfig) log(js jetstream.JetStream, logger *slog.Logger) (*natsauth.Log, error) {
	return natsauth.New(natsauth.Config{
		JetStream: js, Stream: c.Stream, Replicas: c.Replicas, MaxBytes: c.MaxBytes,
		Grace: c.Grace.value, Logger: logger,
	})
}

// options returns how connections to NATS are made. Files, which have been looked at,
// are read at each, so that one that is refused may be granted the next time: that is
// tried without end.
func (c *natsConfig) options(logger *slog.Logger) []nats.Option {
	complaints := &natsComplaints{logger: logger}
	options := []nats.Option{
		nats.Name("oidcauth"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.IgnoreAuthErrorAbort(), nats.ErrorHandler(complaints.log), nats.ReconnectErrHandler(complaints.inVain),
		nats.ConnectHandler(complaints.over), nats.ReconnectHandler(complaints.over),
	}
	if c.secure() {
		options = append(options, nats.Secure())
	}
	if c.staysHere() {
		options = append(options, nats.IgnoreDiscoveredServers()) // which may be other machines
	}
	if path, _ := c.CAFile.path(); path != "" {
		options = append(options, nats.RootCAs(path))
	}
	if cert, _ := c.CertFile.path(); cert != "" {
		key, _ := c.KeyFile.path()
		options = append(options, nats.ClientCert(cert, key))
	}
	if path, _ := c.CredentialsFile.path(); path != "" {
		options = append(options, nats.UserCredentials(path))
	}
	if c.TokenFile != "" {
		options = append(options, nats.TokenHandler(func() string {
			data, err := c.TokenFile.readHidden()
			if err != nil {
				logger.Error("NATS: the token cannot be read", slog.String("reason", err.Error()))
			}
			return strings.TrimRight(string(data), "\r\n")
		}))
	}
	return options
}

// natsComplaints are what a connection to NATS says is wrong, one line for each: a
// connection that is refused is tried each second. It is safe for concurrent use.
type natsComplaints struct {
	logger *slog.Logger
	mu     sync.Mutex      // guards told
	told   map[string]bool // since the last connection
}

// mostComplaints bounds what is remembered; beyond, it is told again.
const mostComplaints = 16

func (c *natsComplaints) log(_ *nats.Conn, _ *nats.Subscription, err error) {
	reason := err.Error()
	c.mu.Lock()
	told := c.told[reason]
	if len(c.told) == mostComplaints || c.told == nil {
		c.told = make(map[string]bool)
	}
	c.told[reason] = true
	c.mu.Unlock()
	if !told {
		c.logger.Warn("NATS", slog.String("reason", reason))
	}
}

// inVain is called when a connection cannot be had.
func (c *natsComplaints) inVain(conn *nats.Conn, err error) { c.log(conn, nil, err) }

// over is called when there is a connection.
func (c *natsComplaints) over(*nats.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = nil
}

// sharedRevocations are the revocations of a cluster, and whether they are known.
type sharedRevocations struct {
	oidcauth.RevocationLog
	conn     *nats.Conn
	required bool
	current  atomic.Bool
}

// open has the library keep its revocations, and share them through NATS, which need not be
// there yet. Where they are not shared, it returns nil. It may be called on nil.
func (c *revocationsConfig) open(cfg *oidcauth.Config) (*sharedRevocations, error) {
	if c == nil {
		return nil, nil
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	cfg.RevocationDir = c.Dir
	if c.NATS == nil {
		c.noteNew(cfg.Logger)
		return nil, nil
	}
	conn, err := nats.Connect(strings.Join(c.NATS.Servers, ","), c.NATS.options(cfg.Logger)...)
	if err != nil {
		return nil, fmt.Errorf("revocations.nats: %w", err)
	}
	s := &sharedRevocations{conn: conn, required: c.Require}
	js, err := jetstream.New(conn)
	if err == nil {
		s.RevocationLog, err = c.NATS.log(js, cfg.Logger)
	}
	if err != nil {
		conn.Close()
		return nil, usageError{fmt.Errorf("revocations.nats: %w", err)}
	}
	cfg.Revocations, cfg.RequireRevocations = s, c.Require
	return s, nil
}

// noteNew reports a directory that no server has had. Where one had another of this name,
// on a volume that is not mounted for instance, tokens are accepted that it had revoked.
func (c *revocationsConfig) noteNew(logger *slog.Logger) {
	if files, err := os.ReadDir(c.Dir); len(files) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // a server leaves its lock at least
	}
	logger.Warn("directory of revocations is new, and none of before holds", slog.String("dir", c.Dir))
}

// Follow implements [oidcauth.RevocationLog], and notes what it is told.
func (s *sharedRevocations) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(current bool)) error {
	defer s.current.Store(false)
	return s.RevocationLog.Follow(ctx, apply, func(current bool) {
		s.current.Store(current)
		caughtUp(current)
	})
}

// suffice reports whether tokens are accepted, as far as revocations go. It may be
// called on nil.
func (s *sharedRevocations) suffice() bool { return s == nil || !s.required || s.current.Load() }

// write writes, in the Prometheus text format, whether what the others have revoked is
// known: without "require" nothing else tells but the log. It may be called on nil.
func (s *sharedRevocations) write(out *strings.Builder) {
	if s == nil {
		return
	}
	current := 0
	if s.current.Load() {
		current = 1
	}
	help(out, "oidcauth_revocations_current", "gauge", "Whether all that other servers have revoked is known here: 0 while contact with NATS is lost.")
	fmt.Fprintf(out, "oidcauth_revocations_current %d\n", current)
}

// close closes the connection, which outlives the library's use of it. It may be
// called on nil.
func (s *sharedRevocations) close() {
	if s != nil {
		s.conn.Close()
	}
}
