package fetch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// nameServer answers for every name with what answers returns, over pipes: no
// packet leaves the process. It speaks as much DNS (RFC 1035) as Go's own
// resolver needs.
type nameServer struct {
	answers func(name string) []netip.Addr

	mu    sync.Mutex // guards asked
	asked []string
}

// always is the answers of a server that says the same each time.
func always(addrs ...string) func(string) []netip.Addr {
	var list []netip.Addr
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return func(string) []netip.Addr { return list }
}

func (s *nameServer) resolver(t *testing.T) *net.Resolver {
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

// names returns the names that were asked for.
func (s *nameServer) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// serve answers queries that are preceded by their length, as over TCP.
func (s *nameServer) serve(conn net.Conn) {
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		query := make([]byte, size)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := s.reply(query)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

const typeA, typeAAAA = 1, 28

func (s *nameServer) reply(query []byte) []byte {
	const headerSize = 12
	var labels []string
	at := headerSize
	for query[at] != 0 {
		end := at + 1 + int(query[at])
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	name := strings.Join(labels, ".")
	question := query[headerSize : at+5]
	kind := binary.BigEndian.Uint16(query[at+1:])

	var records bytes.Buffer
	count := uint16(0)
	for _, addr := range s.lookup(name, kind) {
		data := addr.AsSlice()
		records.Write([]byte{0xc0, headerSize}) // the name of the question
		_ = binary.Write(&records, binary.BigEndian, kind)
		_ = binary.Write(&records, binary.BigEndian, uint16(1))
		_ = binary.Write(&records, binary.BigEndian, uint32(0)) // not to be kept
		_ = binary.Write(&records, binary.BigEndian, uint16(len(data)))
		records.Write(data)
		count++
	}
	reply := append([]byte{}, query[:2]...)
	reply = append(reply, 0x85, 0x80, 0, 1)
	reply = binary.BigEndian.AppendUint16(reply, count)
	reply = append(reply, 0, 0, 0, 0)
	return append(append(reply, question...), records.Bytes()...)
}

// lookup returns the addresses of the asked kind. One lookup of a client is two
// questions; only the first of them counts as asking.
func (s *nameServer) lookup(name string, kind uint16) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []netip.Addr
	for _, addr := range s.answers(name) {
		if addr.Is4() && kind == typeA || addr.Is6() && kind == typeAAAA {
			out = append(out, addr)
		}
	}
	if kind == typeA {
		s.asked = append(s.asked, name)
	}
	return out
}
