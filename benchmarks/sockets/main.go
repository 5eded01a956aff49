// Sockets puts thousands of WebSocket clients, each with an RS256 token of its own,
// onto the server of examples/chat and onto Centrifugo, in turn, and has them write to
// one room that all of them watch. It tells how long a message takes from the instant
// at which it was due to each of the others, what each server holds of memory and uses
// of the processor, and fails if a message is lost, comes twice, or is said to be
// somebody else's.
//
//	go run ./benchmarks/sockets
//	go run ./benchmarks/sockets -rounds 3 -seconds 60 -clients 2000 -rate 10
//	go run ./benchmarks/sockets -dir /dev/shm
//
// The servers are processes of their own; what the clients use is not theirs. Both
// check each token's signature by the issuer's key set, issuer and audience, and say
// with each message whose it is. The chat has each message on disk before anybody
// sees it, so a disk that is slow for a moment is in its times, but for -dir;
// Centrifugo keeps as many in memory. Neither compresses, tells who comes and goes, or
// logs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// settings are what the command line says.
type settings struct {
	clients, rate, seconds, bytes, rounds int
	servers                               string
	centrifugo                            string // the program
	dir                                   string // for the servers' files
}

func main() {
	var s settings
	flag.IntVar(&s.clients, "clients", 2000, "clients, each with a token and a socket of its own")
	flag.IntVar(&s.rate, "rate", 10, "messages a second, written by all clients in turn and sent to all")
	flag.IntVar(&s.seconds, "seconds", 60, "`length` of one load")
	flag.IntVar(&s.bytes, "bytes", 128, "length of a message")
	flag.IntVar(&s.rounds, "rounds", 1, "rounds, each of which loads every server once")
	flag.StringVar(&s.servers, "servers", "chat,centrifugo", "`servers` to load")
	flag.StringVar(&s.centrifugo, "centrifugo", "", "Centrifugo's `program` (default: built from "+centrifugoModule+")")
	flag.StringVar(&s.dir, "dir", "", "`directory` for the chat's tables (default: the system's for temporary files; /dev/shm keeps them in memory, as Centrifugo does)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sockets:", err)
		os.Exit(1)
	}
}

func (s settings) check() error {
	if min(s.clients, s.rate, s.seconds, s.rounds) < 1 || s.bytes < minText || s.bytes > maxText {
		return fmt.Errorf("every number has to be positive, and -bytes %d to %d", minText, maxText)
	}
	return nil
}

// run loads the servers in turn, each time in a process that has just begun.
func (s settings) run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "oidcauth-sockets-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	issuer, err := idp.Start()
	if err != nil {
		return err
	}
	defer issuer.Close()
	servers, err := s.build(dir)
	if err != nil {
		return err
	}
	people := everybody(issuer, s.clients)
	fmt.Printf("%d clients, %d messages of %d bytes a second to all of them, for %d s\n", s.clients, s.rate, s.bytes, s.seconds)
	results := make(map[string][]result)
	for round := range s.rounds {
		for i := range servers {
			server := servers[(i+round)%len(servers)] // each comes first as often
			got, err := s.load(ctx, server, issuer, people)
			if err != nil {
				return fmt.Errorf("%s: %w", server.name, err)
			}
			fmt.Println(got)
			results[server.name] = append(results[server.name], got)
		}
	}
	return s.sum(servers, results)
}

// build makes the servers that are asked for ready to start.
func (s settings) build(dir string) ([]server, error) {
	makers := map[string]func(string) (server, error){"chat": chat, "centrifugo": s.newCentrifugo}
	var servers []server
	for name := range strings.SplitSeq(s.servers, ",") {
		maker := makers[name]
		if maker == nil {
			return nil, fmt.Errorf("-servers: there is no %q", name)
		}
		server, err := maker(dir)
		if err != nil {
			return nil, err
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// load starts a server, loads it, and stops it.
func (s settings) load(ctx context.Context, on server, issuer *idp.Issuer, people []person) (result, error) {
	dir, err := os.MkdirTemp(s.dir, "oidcauth-sockets-data-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	p, address, err := on.start(ctx, dir, issuer)
	if err != nil {
		return result{}, err
	}
	defer p.Stop()
	got := result{server: on.name, empty: p.Resident()}

	began := time.Now()
	f, err := connect(ctx, on.talk, address, people, s.rate*s.seconds)
	if err != nil {
		return result{}, err
	}
	defer f.close()
	got.connecting = time.Since(began)
	select {
	case <-ctx.Done():
		return result{}, ctx.Err()
	case <-time.After(settle):
	}
	got.idle = p.Resident()
	used := p.CPU()
	own := ownCPU()
	err = f.talk(ctx, s.rate, s.bytes)
	got.cpu, got.clients = p.CPU()-used, ownCPU()-own
	got.loaded, got.peak = p.Resident(), p.Peak()
	got.waits, got.connections = f.waits(), len(people)
	return got, errors.Join(err, f.complete())
}

// settle is how long a server rests between its last client's coming and the load.
const settle = 3 * time.Second
