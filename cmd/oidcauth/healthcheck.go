package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// healthcheckTimeout bounds the whole question.
const healthcheckTimeout = 5 * time.Second

// healthcheckFlags are the flags of healthcheck.
type healthcheckFlags struct {
	addr   string
	config string
	ready  bool
}

// healthcheckCommand asks a server of this machine whether it is well.
func healthcheckCommand() command {
	return command{
		name:    "healthcheck",
		summary: "ask a server on this machine whether it is well",
		about: `
Asks the server that "oidcauth serve" with the same file or address runs on this
machine whether it is well: exit code 0 if it is, else 1, or 2 if flags and file
do not say where it is. Of the file "addr" and "tls" alone are read: with a
mistake elsewhere in it the server goes on by the former one. For containers, in
whose images nothing else could ask.`,
		example: `
oidcauth healthcheck --config /etc/oidcauth/serve.json
oidcauth healthcheck --addr 127.0.0.1:8080 --ready`,
		setup: func(flags *flag.FlagSet) action {
			f := new(healthcheckFlags)
			flags.StringVar(&f.addr, "addr", "", "ask at this `HOST:PORT`; without it at the file's, or "+defaultAddr)
			flags.Var((*configName)(&f.config), "config", "ask the server of this JSON `FILE`")
			flags.BoolVar(&f.ready, "ready", false, "ask whether it is ready, too: whether it has the keys that it needs")
			return f.run
		},
	}
}

// run asks.
func (f *healthcheckFlags) run(ctx context.Context, std streams, operands []string) error {
	if err := noOperands(operands); err != nil {
		return err
	}
	file, err := f.whereServed()
	if err != nil {
		return err
	}
	addr := firstOf(f.addr, file.Addr, defaultAddr)
	if err := checkAddr(ctx, addr); err != nil {
		return err
	}
	all, err := reachable(ctx, addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	var failed several
	for _, at := range all {
		address := url.URL{Scheme: file.scheme(), Host: at, Path: "/healthz"} // which writes the zone of an IPv6 address as a URL has it
		if f.ready {
			address.Path = "/readyz"
		}
		err := ask(ctx, std.out, &file, address.String())
		if dial := (*net.OpError)(nil); !errors.As(err, &dial) || dial.Op != "dial" {
			return err
		}
		failed.add(err)
	}
	return failed
}

// whereServed reads of the file where its server listens, and by which certificate it is
// known. A mistake elsewhere in it is no sign that the server is not well: that goes on by
// the former file then, and would not start again by this one.
func (f *healthcheckFlags) whereServed() (file fileConfig, err error) {
	if f.config == "" {
		return file, nil
	}
	data, err := os.ReadFile(f.config)
	if err != nil {
		return file, usageError{err}
	}
	var where struct {
		Addr string     `json:"addr"`
		TLS  *tlsConfig `json:"tls"`
	}
	if err := json.Unmarshal(data, &where); err != nil {
		return file, usageError{inFile(f.config, err)}
	}
	file.Addr, file.TLS = where.Addr, where.TLS
	return file, nil
}

// reachable returns the addresses at which this machine reaches what listens at addr, whose
// port may be a name, which no URL takes: one after the other, as a container may have no
// IPv6, where the server at all interfaces listens for IPv4 alone.
func reachable(ctx context.Context, addr string) ([]string, error) {
	host, name, _ := net.SplitHostPort(addr)
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", name)
	switch {
	case err != nil:
		return nil, err
	case port == 0:
		return nil, usagef("%s is any free port, and the server alone knows which: give another one with --addr", quoteArgument(addr))
	}
	hosts := []string{host}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.Equal(net.IPv4zero):
		hosts = []string{"127.0.0.1"}
	case ip != nil && ip.IsUnspecified():
		hosts = []string{"::1", "127.0.0.1"}
	}
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return hosts, nil
}

// ask asks at the address of a server with that file.
func ask(ctx context.Context, out io.Writer, file *fileConfig, address string) error {
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy
	if file.TLS != nil {
		own, err := file.TLS.read()
		if err != nil {
			return err
		}
		transport.TLSClientConfig = onlyCertificate(own)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: got %s, want 200: %s", address, resp.Status, strings.TrimSpace(string(body)))
	}
	_, err = fmt.Fprintln(out, printable(strings.TrimSpace(string(body))))
	return err
}

// onlyCertificate trusts a server that shows the certificate of the file, and no other:
// its names are those of the server's address outside, at which nobody asks here.
func onlyCertificate(own *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // in favour of what follows
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errors.New("the server shows another certificate than that of the file")
			}
			return nil
		},
	}
}
