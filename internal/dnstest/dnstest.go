// Package dnstest answers name lookups in memory, for tests of what becomes of
// an address after its name was resolved.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is a name server. It speaks as much DNS (RFC 1035) as Go's own resolver
// needs, over pipes: no packet leaves the process. It is safe for concurrent use.
type Server struct {
	answers func(name string, times int) []netip.Addr

	mu     sync.Mutex // guards all below
	counts map[question]int
	names  []string
}

// A question is for the addresses of one kind. Each lookup is two questions.
type question struct {
	name string
	kind uint16
}

const typeA, typeAAAA = 1, 28

// New returns a server that says what answers returns for a name when it is
// looked up for the times-th time, beginning with 1.
func New(answers func(name string, times int) []netip.Addr) *Server {
	return &Server{answers: answers, counts: map[question]int{}}
}

// Always returns a server that gives each name the same addresses each time.
func Always(addrs ...string) *Server {
	var list []netip.Addr
	for _, addr := range addrs {
		list = append(list, netip.MustParseAddr(addr))
	}
	return New(func(string, int) []netip.Addr { return list })
}

// Resolver returns a resolver that asks the server. The test does not end before
// the connections to the server have.
func (s *Server) Resolver(t testing.TB) *net.Resolver {
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() {
			defer far.Close()
			s.serve(far)
		})
		return near, nil
	}}
}

// Names returns the names that were looked up, in their order.
func (s *Server) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// serve answers queries that are preceded by their length, as over TCP, until
// the connection ends.
func (s *Server) serve(conn net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := s.reply(query)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

func (s *Server) reply(query []byte) []byte {
	const headerSize = 12
	var labels []string
	at := headerSize
	for query[at] != 0 {
		end := at + 1 + int(query[at])
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	addrs := s.lookup(question{strings.Join(labels, "."), kind})

	reply := slices.Clone(query[:2])
	reply = append(reply, 0x85, 0x80, 0, 1) // an answer with authority to one question
	reply = binary.BigEndian.AppendUint16(reply, uint16(len(addrs)))
	reply = append(reply, 0, 0, 0, 0)
	reply = append(reply, query[headerSize:at+5]...)
	for _, addr := range addrs {
		reply = append(reply, 0xc0, headerSize) // the name of the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 0) // of the Internet, not to be kept
		reply = binary.BigEndian.AppendUint16(reply, uint16(addr.BitLen()/8))
		reply = append(reply, addr.AsSlice()...)
	}
	return reply
}

// lookup returns the addresses of the kind that is asked for.
func (s *Server) lookup(q question) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[q]++
	if q.kind == typeA {
		s.names = append(s.names, q.name)
	}
	var addrs []netip.Addr
	for _, addr := range s.answers(q.name, s.counts[q]) {
		if addr.Is4() && q.kind == typeA || addr.Is6() && q.kind == typeAAAA {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
