// Package ports gives servers of tests ports of the loopback interface that are theirs
// for as long as they need them: before they start, which takes some of them seconds, and
// while they are stopped for a test. A port that was only free a moment ago may be
// another test's by then, of another process, whose server then answers in its place.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports that are given away are the even ones from first on. They are below those
// that systems give to whoever asks for any.
const (
	first = 20_000
	pairs = 5_000
)

const attempts = 200

// A Port is one that no other caller of this package gets, in any process of the
// machine, until it is released or the process ends.
type Port struct {
	Number int
	hold   net.Listener // at the next port, which nobody dials
}

// held are the ports that are reserved: a listener that nothing refers to is closed.
var held sync.Map

// Reserve returns a port that nobody listens on.
func Reserve() (*Port, error) {
	var failed error
	for range attempts {
		p, err := reserve(first + 2*rand.N(pairs))
		if err == nil {
			return p, nil
		}
		failed = err
	}
	return nil, fmt.Errorf("no port from %d to %d is free: %w", first, first+2*pairs, failed)
}

func reserve(number int) (*Port, error) {
	hold, err := net.Listen("tcp", address(number+1))
	if err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", address(number))
	if err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	p := &Port{Number: number, hold: hold}
	held.Store(p, nil)
	return p, free.Close()
}

// ReserveFor is [Reserve] for a test, at whose end the port is released.
func ReserveFor(t testing.TB) *Port {
	t.Helper()
	p, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Release)
	return p
}

// Release lets others have the port.
func (p *Port) Release() {
	held.Delete(p)
	p.hold.Close()
}

// Address returns the port's address, as in "127.0.0.1:20000".
func (p *Port) Address() string { return address(p.Number) }

// String returns the port's number.
func (p *Port) String() string { return strconv.Itoa(p.Number) }

func address(number int) string { return "127.0.0.1:" + strconv.Itoa(number) }
