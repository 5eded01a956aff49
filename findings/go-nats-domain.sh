#!/usr/bin/env bash
# jetstream.NewWithDomain of nats.go is for streams in the JetStream domain of another NATS
# server, as seen from a leaf node. What it publishes bears no domain, though: it goes to
# whoever takes the subject. Where the leaf node has a stream of that name and subject, too,
# its acknowledgement comes first, and counts, also for a publisher that expects the stream
# by name, and also while the server of the domain that was asked for is away, which then
# never has the message. The domain in the acknowledgement tells, and nobody compares it.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func start(domain string, change func(*server.Options)) *server.Server {
	options := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, ServerName: domain,
		JetStream: true, JetStreamDomain: domain, StoreDir: must(os.MkdirTemp(".", domain)),
	}
	change(options)
	s := must(server.NewServer(options))
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		panic("not started: " + domain)
	}
	return s
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	at := must(url.Parse("nats-leaf://" + free.Addr().String()))
	free.Close()
	hub := start("hub", func(o *server.Options) {
		o.LeafNode.Host, o.LeafNode.Port = "127.0.0.1", free.Addr().(*net.TCPAddr).Port
	})
	leaf := start("leaf", func(o *server.Options) { o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{at}}} })
	for leaf.NumLeafNodes() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	stream := jetstream.StreamConfig{Name: "orders", Subjects: []string{"orders.>"}}
	atHub := must(jetstream.New(must(nats.Connect(hub.ClientURL()))))
	atLeaf := must(jetstream.New(must(nats.Connect(leaf.ClientURL()))))
	inHub := must(atHub.CreateStream(ctx, stream))
	must(atLeaf.CreateStream(ctx, stream))

	domain := must(jetstream.NewWithDomain(must(nats.Connect(leaf.ClientURL())), "hub"))
	fmt.Println("asked for the stream of domain hub, got that of domain", must(domain.Stream(ctx, "orders")).CachedInfo().Cluster.Leader)
	counted := map[string]int{}
	for range 20 {
		counted[must(domain.Publish(ctx, "orders.1", nil, jetstream.WithExpectStream("orders"))).Domain]++
	}
	fmt.Println("20 acknowledged by domain", counted)
	time.Sleep(time.Second) // for what is on the way
	had := must(inHub.Info(ctx)).State.Msgs
	hub.Shutdown()
	hub.WaitForShutdown()
	ack, err := domain.Publish(ctx, "orders.2", nil, jetstream.WithExpectStream("orders"))
	fmt.Println("hub had", had, "and is away; one more acknowledged by domain", must(ack, err).Domain)
	leaf.Shutdown()
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get github.com/nats-io/nats-server/v2/server@v2.15.2 github.com/nats-io/nats.go/jetstream@v1.55.0 >/dev/null 2>&1
got=$(go run .)
echo "$got"
want='asked for the stream of domain hub, got that of domain hub
20 acknowledged by domain map[leaf:20]
hub had 20 and is away; one more acknowledged by domain leaf'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
