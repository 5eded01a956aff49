package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oauthbearer"
)

// greet reads what comes before the password, and starts TLS if the client asks
// for it and the server has it.
func (s *server) greet(conn net.Conn) (net.Conn, *pgproto3.Backend, error) {
	for range 3 { // GSS, TLS, startup
		backend := pgproto3.NewBackend(conn, conn)
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return conn, nil, err
		}
		switch message.(type) {
		case *pgproto3.StartupMessage:
			backend.SetMaxBodyLen(maxMessage)
			return conn, backend, nil
		case *pgproto3.SSLRequest:
			if conn, err = s.startTLS(conn); err != nil {
				return conn, nil, err
			}
		case *pgproto3.GSSEncRequest:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return conn, nil, err
			}
		default: // a request to cancel, which this example has no use for
			return conn, nil, errors.New("no startup message")
		}
	}
	return conn, nil, errors.New("no startup message")
}

// startTLS answers a request for TLS. What the client sent behind the request, in
// the clear, is lost with the old backend, so that nobody can slip it in.
func (s *server) startTLS(conn net.Conn) (net.Conn, error) {
	if _, encrypted := conn.(*tls.Conn); s.tls == nil || encrypted {
		_, err := conn.Write([]byte{'N'})
		return conn, err
	}
	if _, err := conn.Write([]byte{'S'}); err != nil {
		return conn, err
	}
	encrypted := tls.Server(conn, s.tls)
	return encrypted, encrypted.Handshake()
}

// logIn asks for the token and authenticates it. The user that the client names
// counts for nothing: the token says who it is.
func (c *client) logIn(ctx context.Context) (*oidcauth.Claims, error) {
	if !isPrivate(c.conn) {
		return nil, &violation{invalidAuth, "a token is only taken over TLS"}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	ask := c.askPassword
	if c.server.challenge != nil {
		ask = c.askToken
	}
	claims, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	return claims, c.send(
		&pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "server_version", Value: "18.0 (oidcauth example)"},
		&pgproto3.ParameterStatus{Name: "server_encoding", Value: "UTF8"},
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		readyForQuery,
	)
}

// askPassword takes the token as the password, which every client can send.
func (c *client) askPassword(ctx context.Context) (*oidcauth.Claims, error) {
	if err := c.backend.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
		return nil, err
	}
	if err := c.send(&pgproto3.AuthenticationCleartextPassword{}); err != nil {
		return nil, err
	}
	message, err := c.backend.Receive()
	if err != nil {
		return nil, &violation{protocolViolation, "a password that is missing or too long"}
	}
	password, ok := message.(*pgproto3.PasswordMessage)
	if !ok {
		return nil, &violation{protocolViolation, "another message than a password"}
	}
	return c.server.auth.Authenticate(ctx, password.Password)
}

// errAsked says that a client has learned where to get a token, and is no failure.
var errAsked = &violation{invalidAuth, "a token is required"}

// askToken takes the token by SASL OAUTHBEARER, which libpq can since version 18.
func (c *client) askToken(ctx context.Context) (*oidcauth.Claims, error) {
	if err := c.backend.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
		return nil, err
	}
	if err := c.send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{oauthbearer.Mechanism}}); err != nil {
		return nil, err
	}
	message, err := c.backend.Receive()
	if err != nil {
		return nil, &violation{protocolViolation, "a response that is missing or too long"}
	}
	initial, ok := message.(*pgproto3.SASLInitialResponse)
	if !ok || initial.AuthMechanism != oauthbearer.Mechanism {
		return nil, &violation{protocolViolation, "another mechanism than " + oauthbearer.Mechanism}
	}
	request, err := oauthbearer.Parse(initial.Data)
	if err != nil {
		return nil, &violation{protocolViolation, err.Error()}
	}
	if request.Token == "" {
		return nil, c.challenge(errAsked)
	}
	claims, err := c.server.auth.Authenticate(ctx, request.Token)
	if status, _, _ := oidcauth.Answer(err); status == http.StatusUnauthorized {
		return nil, c.challenge(err)
	}
	return claims, err
}

// challenge tells a client that a token is wanted, and where there are some. It
// returns what the connection ends with.
func (c *client) challenge(cause error) error {
	if err := c.backend.SetAuthType(pgproto3.AuthTypeSASLContinue); err != nil {
		return err
	}
	if err := c.send(&pgproto3.AuthenticationSASLContinue{Data: c.server.challenge.Message()}); err != nil {
		return err
	}
	message, err := c.backend.Receive()
	if err != nil {
		return cause // a client that has enough with the challenge, as pgx has
	}
	if response, ok := message.(*pgproto3.SASLResponse); !ok || !oauthbearer.Acknowledged(response.Data) {
		return &violation{protocolViolation, "another message than the end of " + oauthbearer.Mechanism}
	}
	return cause
}

// fromAddress says on whose account a client's token is judged, and asked about where its
// issuer is: whoever makes tokens up then keeps nobody out who comes from elsewhere. Behind a
// proxy the address has to come from that, by the PROXY protocol for instance.
func fromAddress(ctx context.Context, conn net.Conn) context.Context {
	from, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // a Unix socket has none
	return oidcauth.WithCallerAddr(ctx, from.Addr())
}

// isPrivate reports whether nobody on the way can read what is sent.
func isPrivate(conn net.Conn) bool {
	if _, encrypted := conn.(*tls.Conn); encrypted {
		return true
	}
	switch remote := conn.RemoteAddr().(type) {
	case *net.TCPAddr:
		return remote.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
