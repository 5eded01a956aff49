package main

import (
	"errors"
	"net"
	"syscall"
)

// listenLoopback listens where no other machine can connect. At localhost it does so by IPv4
// and by IPv6: a browser goes to either, and what else listens there would get what the
// provider sends.
func listenLoopback(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLoopback(host) {
		return nil, usagef("--listen %s: want HOST:PORT on the loopback interface", quoteArgument(address))
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.Addr().(*net.TCPAddr)
	switch {
	case !ok || !tcp.IP.IsLoopback():
		listener.Close()
		return nil, usagef("--listen: localhost is %s here, which other machines may reach: write 127.0.0.1", listener.Addr())
	case host != "localhost":
		return []net.Listener{listener}, nil
	}
	beside := &net.TCPAddr{IP: net.IPv6loopback, Port: tcp.Port}
	if tcp.IP.To4() == nil {
		beside.IP = net.IPv4(127, 0, 0, 1)
	}
	other, err := net.ListenTCP("tcp", beside)
	switch {
	case err == nil:
		return []net.Listener{listener, other}, nil
	case errors.Is(err, syscall.EADDRINUSE) && port == "0":
		listener.Close()
		return listenLoopback(address) // at another one
	case errors.Is(err, syscall.EADDRINUSE):
		listener.Close()
		return nil, usagef("--listen: another program listens at %s, and the browser may go there for localhost: end it, or give another port", beside)
	}
	return []net.Listener{listener}, nil // of a machine without the other
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		listener.Close()
	}
}

// callbackAddress returns where the provider sends the browser back to. It compares that
// with what the client is registered for: localhost stays that, and becomes no address.
func callbackAddress(listen string, at net.Addr) string {
	host, port, _ := net.SplitHostPort(at.String())
	if name, _, _ := net.SplitHostPort(listen); name == "localhost" {
		host = name
	}
	return "http://" + net.JoinHostPort(host, port) + callbackPath
}
