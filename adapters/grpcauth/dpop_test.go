package grpcauth_test

import (
	"context"
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

const public = "https://db.example.com"

// newBoundWorld is newWorld for a server that checks proofs.
func newBoundWorld(t *testing.T, nonces bool, u unaryHandler, s streamHandler) (*world, *oidctest.Prover) {
	t.Helper()
	proofs, err := dpop.New(dpop.Config{PublicURL: public, Nonces: nonces})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldWith(t, grpcauth.Config{DPoP: proofs}, func(cfg *oidcauth.Config) { cfg.DPoP = proofs }, u, s), oidctest.NewProver(t, "")
}

// sending returns a context that sends pairs of keys and values.
func sending(t *testing.T, pairs ...string) context.Context {
	return metadata.NewOutgoingContext(t.Context(), metadata.Pairs(pairs...))
}

// A token that is bound to a key counts with its proof, once, under the scheme DPoP
// alone, and nobody behind the interceptor sees either.
func TestGuard_DPoP(t *testing.T) {
	t.Parallel()
	var seen metadata.MD
	w, p := newBoundWorld(t, false, func(ctx context.Context, m *message) (*message, error) {
		seen, _ = metadata.FromIncomingContext(ctx)
		return whoAmI(ctx, m)
	}, nil)
	bound, bearer := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}}), w.issuer.Token(nil)
	proof := func(token string) string { return p.Proof("POST", public+unary, token, nil) }
	used := proof(bound)
	for _, tt := range []struct {
		name string
		send []string
		code codes.Code
		want string
	}{
		{"with proof", []string{"authorization", "DPoP " + bound, "dpop", used}, codes.OK, "alice"},
		{"the same proof again", []string{"authorization", "DPoP " + bound, "dpop", used}, codes.Unauthenticated, "the DPoP proof is not accepted"},
		{"through a gateway, twice", []string{"authorization", "DPoP " + bound, "grpcgateway-authorization", "DPoP " + bound, "dpop", proof(bound)}, codes.OK, "alice"},
		{"the scheme in small letters", []string{"authorization", "dpop " + bound, "dpop", proof(bound)}, codes.OK, "alice"},
		{"a bearer token", []string{"authorization", "Bearer " + bearer}, codes.OK, "alice"},
		{"no proof", []string{"authorization", "DPoP " + bound}, codes.Unauthenticated, "the DPoP proof is not accepted"},
		{"two proofs", []string{"authorization", "DPoP " + bound, "dpop", proof(bound), "dpop", proof(bound)}, codes.Unauthenticated, "the DPoP proof is not accepted"},
		{"for another method", []string{"authorization", "DPoP " + bound, "dpop", p.Proof("POST", public+stream, bound, nil)}, codes.Unauthenticated, "the DPoP proof is not accepted"},
		{"as a bearer token", []string{"authorization", "Bearer " + bound, "dpop", proof(bound)}, codes.Unauthenticated, "possession"},
		{"a bearer token under DPoP", []string{"authorization", "DPoP " + bearer, "dpop", proof(bearer)}, codes.Unauthenticated, "possession"},
		{"two schemes", []string{"authorization", "DPoP " + bound, "authorization", "Bearer " + bound, "dpop", proof(bound)}, codes.InvalidArgument, "malformed"},
		{"twice", []string{"authorization", "DPoP " + bound, "authorization", "DPoP " + bound, "dpop", proof(bound)}, codes.InvalidArgument, "malformed"},
		{"an equals sign", []string{"authorization", "DPoP=x " + bound, "dpop", proof(bound)}, codes.InvalidArgument, "malformed"},
		{"another scheme", []string{"authorization", "DPoPs " + bound, "dpop", proof(bound)}, codes.Unauthenticated, "required"},
		{"less than the scheme", []string{"authorization", "DPo"}, codes.Unauthenticated, "required"},
		{"the scheme alone", []string{"authorization", "DPoP", "dpop", proof(bound)}, codes.InvalidArgument, "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := w.call(sending(t, tt.send...))
			check(t, "call", got, err, tt.code, tt.want)
			if tt.code == codes.OK && (len(seen["authorization"]) > 0 || len(seen["dpop"]) > 0 && tt.name != "a bearer token") {
				t.Errorf("the handler sees %v", seen)
			}
		})
	}
	off := newWorld(t, grpcauth.Config{}, nil, nil)
	_, err := off.call(sending(t, "authorization", "DPoP "+off.issuer.Token(nil), "dpop", "x"))
	check(t, "call", "", err, codes.Unauthenticated, "a bearer token is required")
}

// A proof for one method is good for no other, whatever the call names as its host.
func TestGuard_DPoPAnotherMethod(t *testing.T) {
	t.Parallel()
	w, p := newBoundWorld(t, false, nil, nil)
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: w.auth, DPoP: new(dpop.Verifier)}) // for nonces alone, of which there are none
	if err != nil {
		t.Fatal(err)
	}
	token := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}})
	for _, tt := range []struct {
		authority, proved string
		code              codes.Code
		want              string
	}{
		{"db.example.com", unary, codes.OK, "alice"},
		{"db.example.com", stream, codes.Unauthenticated, "proof"},
		{"db.example.com" + stream + "?", stream, codes.Unauthenticated, "proof"},
		{"db.example.com" + stream + "#", stream, codes.Unauthenticated, "proof"},
		{"db.example.com" + stream + "?", unary, codes.OK, "alice"},
	} {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(":authority", tt.authority,
			"authorization", "DPoP "+token, "dpop", p.Proof("POST", public+tt.proved, token, nil)))
		ctx = peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}})
		got, err := guard.Unary(ctx, new(message), &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, _ any) (any, error) { return subject(ctx), nil })
		answer, _ := got.(string)
		check(t, tt.authority, answer, err, tt.code, tt.want)
	}
}

// Where a server goes by any name a proof is for the host that the call names, once, and
// for an encrypted connection where it came by one.
func TestGuard_DPoPAnyHost(t *testing.T) {
	t.Parallel()
	proofs, err := dpop.New(dpop.Config{InsecureAnyHost: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldWith(t, grpcauth.Config{}, func(cfg *oidcauth.Config) { cfg.DPoP = proofs }, nil, nil)
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: w.auth, DPoP: proofs})
	if err != nil {
		t.Fatal(err)
	}
	p := oidctest.NewProver(t, "")
	token := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}})
	const two = "two hosts"
	for _, tt := range []struct {
		host, proved string
		encrypted    bool
		code         codes.Code
	}{
		{"db.example.com", "https://db.example.com", true, codes.OK},
		{"db.example.com", "http://db.example.com", true, codes.Unauthenticated},
		{"db.example.com", "http://db.example.com", false, codes.OK},
		{"db.example.com", "https://db.example.com", false, codes.Unauthenticated},
		{"db.example.com", "https://other.example.com", true, codes.Unauthenticated},
		{two, "https://db.example.com", true, codes.Unauthenticated},
	} {
		md := metadata.Pairs("authorization", "DPoP "+token, "dpop", p.Proof("POST", tt.proved+unary, token, nil))
		md[":authority"] = []string{tt.host}
		if tt.host == two {
			md[":authority"] = []string{"db.example.com", "db.example.com"}
		}
		from := &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}
		if tt.encrypted {
			from.AuthInfo = credentials.TLSInfo{}
		}
		ctx := peer.NewContext(metadata.NewIncomingContext(t.Context(), md), from)
		_, err := guard.Unary(ctx, new(message), &grpc.UnaryServerInfo{FullMethod: unary}, func(context.Context, any) (any, error) { return nil, nil })
		if got := status.Code(err); got != tt.code {
			t.Errorf("%s, encrypted %t, a proof for %s: %v, want %v", tt.host, tt.encrypted, tt.proved, err, tt.code)
		}
	}
}

// A client is told the nonce, with a refusal and with an answer.
func TestGuard_DPoPNonce(t *testing.T) {
	t.Parallel()
	w, p := newBoundWorld(t, true, nil, nil)
	token := w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}})
	var header, trailer metadata.MD
	call := func(claims map[string]any) error {
		ctx := sending(t, "authorization", "DPoP "+token, "dpop", p.Proof("POST", public+unary, token, claims))
		return w.client.Invoke(ctx, unary, new(message), new(message), grpc.Header(&header), grpc.Trailer(&trailer))
	}
	check(t, "call", "", call(nil), codes.Unauthenticated, "a DPoP proof with a nonce of this server is required")
	if len(trailer["dpop-nonce"]) != 1 {
		t.Fatalf("the trailer has %v", trailer)
	}
	if err := call(map[string]any{"nonce": trailer["dpop-nonce"][0]}); err != nil || len(header["dpop-nonce"]) != 1 {
		t.Errorf("error = %v, the header has %v", err, header)
	}
	bearer := sending(t, "authorization", "Bearer "+w.issuer.Token(nil))
	if err := w.client.Invoke(bearer, unary, new(message), new(message), grpc.Header(&header)); err != nil || len(header["dpop-nonce"]) != 0 {
		t.Errorf("error = %v, whoever proves nothing gets %v", err, header)
	}
}

// A stream is renewed with a proof over its session's nonce, in a message.
func TestStream_RenewedWithProof(t *testing.T) {
	t.Parallel()
	w, p := newBoundWorld(t, false, nil, func(s grpc.ServerStream) error {
		session, _ := grpcauth.Session(s.Context())
		for {
			m := new(message)
			if err := s.RecvMsg(m); err != nil {
				return err
			}
			if token, proof, found := strings.Cut(m.GetValue(), " "); found {
				ctx := possession.NewContext(s.Context(), possession.Proof{DPoP: proof})
				if _, err := session.Renew(ctx, token); err != nil {
					return err
				}
			}
			if err := s.SendMsg(wrapperspb.String(session.Nonce())); err != nil {
				return err
			}
		}
	})
	bound := func() string { return w.issuer.Token(map[string]any{"cnf": map[string]any{"jkt": p.Thumbprint()}}) }
	first, next := bound(), bound()
	s := w.open(sending(t, "authorization", "DPoP "+first, "dpop", p.Proof("POST", public+stream, first, nil)))
	nonce, err := receive(s)
	if err != nil {
		t.Fatal(err)
	}
	renew := func(nonce string) (string, error) {
		proof := p.Proof("POST", public+stream, next, map[string]any{"nonce": nonce})
		if err := s.SendMsg(wrapperspb.String(next + " " + proof)); err != nil {
			t.Fatal(err)
		}
		return receive(s)
	}
	if again, err := renew(nonce); err != nil || again == nonce {
		t.Fatalf("the next nonce is %q, %v, after %q", again, err, nonce)
	}
	_, err = renew(nonce)
	check(t, "stream", "", err, codes.Unauthenticated, "a DPoP proof with a nonce of this server is required")
}

// A token that is bound to a certificate is good over connections with that.
func TestGuard_Certificate(t *testing.T) {
	t.Parallel()
	mine, theirs := authtest.NewCertificate(t), authtest.NewCertificate(t)
	for name, tt := range map[string]struct {
		shown *x509.Certificate
		code  codes.Code
		want  string
	}{"its own": {mine, codes.OK, "alice"}, "another": {theirs, codes.Unauthenticated, "possession"}, "none": {nil, codes.Unauthenticated, "possession"}} {
		w := newWorldWith(t, grpcauth.Config{}, func(cfg *oidcauth.Config) { cfg.Certificate = mtls.Connection }, nil, nil)
		info := credentials.TLSInfo{}
		if tt.shown != nil {
			info.State.PeerCertificates = []*x509.Certificate{tt.shown}
		}
		guard, err := grpcauth.New(grpcauth.Config{Authenticator: w.auth})
		if err != nil {
			t.Fatal(err)
		}
		token := w.issuer.Token(map[string]any{"cnf": map[string]any{"x5t#S256": possession.Thumbprint(mine)}})
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token))
		ctx = peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, AuthInfo: info})
		got, err := guard.Unary(ctx, new(message), &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, _ any) (any, error) { return subject(ctx), nil })
		answer, _ := got.(string)
		check(t, name, answer, err, tt.code, tt.want)
	}
}
