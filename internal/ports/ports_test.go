package ports

import (
	"net"
	"runtime"
	"testing"
)

// TestReserve: what is reserved is free, and nobody else's, whether its server runs or
// is stopped.
func TestReserve(t *testing.T) {
	t.Parallel()
	p := ReserveFor(t)
	server, err := net.Listen("tcp", p.Address())
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	if other, err := reserve(p.Number); err == nil {
		t.Errorf("a port at which a server runs was reserved again: %v", other)
	}
	server.Close()
	if other, err := reserve(p.Number); err == nil {
		t.Errorf("a port whose server is stopped was reserved again: %v", other)
	}
	p.Release()
	other, err := reserve(p.Number)
	if err != nil {
		t.Fatalf("a port that was released is not to be had: %v", err)
	}
	other.Release()
}

// TestReserve_Dropped: who keeps nothing but the number has the port all the same.
func TestReserve_Dropped(t *testing.T) {
	t.Parallel()
	p, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	number := p.Number
	p = nil
	for range 2 { // the first finds it, the second may have closed it
		runtime.GC()
	}
	if other, err := reserve(number); err == nil {
		t.Errorf("%v, which nobody released, was reserved again", other)
	}
}

// TestReserve_Taken: where another program listens is no port for a test, and none is
// kept from the others for having been tried.
func TestReserve_Taken(t *testing.T) {
	t.Parallel()
	p := ReserveFor(t)
	server, err := net.Listen("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
	if other, err := reserve(p.Number); err == nil {
		t.Errorf("another program's port was reserved: %v", other)
	}
	server.Close()
	other, err := reserve(p.Number)
	if err != nil {
		t.Fatalf("a port that was tried in vain is kept: %v", err)
	}
	other.Release()
}

// TestReserve_Differ: those of a process differ, though no server runs at any.
func TestReserve_Differ(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 100 {
		p := ReserveFor(t)
		if given[p.Number] {
			t.Fatalf("%v was given twice", p)
		}
		given[p.Number] = true
	}
}
