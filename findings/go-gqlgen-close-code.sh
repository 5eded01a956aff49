#!/usr/bin/env bash
# A WebSocket of gqlgen is closed when the context ends that its InitFunc has returned, as
# where the token of its connection_init was good until then. The code that the context has
# by WithWebsocketCloseCode is sent where InitFunc returns an error, and is not here: the
# client is told 1000, which is how a connection ends that nobody needs any more. What
# AppendCloseReason has said is the close frame's reason in the first case; in the second a
# client of graphql-ws gets it in a message before, and one of graphql-transport-ws nowhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `type Query { name: String! }`})

// ask returns what a client is told until its connection is closed, and how that is. The
// token of its first message is refused, or accepted and over at once.
func ask(protocol string, refused bool) string {
	acknowledged := make(chan bool)
	server := handler.New(&graphql.ExecutableSchemaMock{SchemaFunc: func() *ast.Schema { return schema }})
	server.AddTransport(transport.Websocket{
		InitFunc: func(ctx context.Context, _ transport.InitPayload) (context.Context, *transport.InitPayload, error) {
			ctx = transport.AppendCloseReason(transport.WithWebsocketCloseCode(ctx, 4403), "the token is over")
			if refused {
				return ctx, nil, errors.New("the token is refused")
			}
			ctx, cancel := context.WithCancel(ctx)
			go func() { <-acknowledged; cancel() }()
			return ctx, nil, nil
		},
	})
	s := httptest.NewServer(server)
	defer s.Close()
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, s.URL, &websocket.DialOptions{Subprotocols: []string{protocol}})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"connection_init","payload":{}}`)); err != nil {
		log.Fatal(err)
	}
	var told []string
	for {
		_, message, err := c.Read(ctx)
		if end, closed := errors.AsType[websocket.CloseError](err); closed {
			return fmt.Sprintf("%v closed with %d %q", told, end.Code, end.Reason)
		}
		if err != nil {
			log.Fatal(err)
		}
		text := string(message)
		told = append(told, text[strings.Index(text, `"type"`):len(text)-1])
		if strings.Contains(text, "connection_ack") {
			close(acknowledged)
		}
	}
}

func main() {
	for _, protocol := range []string{"graphql-transport-ws", "graphql-ws"} {
		fmt.Println(protocol, "refused:", ask(protocol, true))
		fmt.Println(protocol, "over:", ask(protocol, false))
	}
}
GO
export GOMODCACHE="$work/mod" GOFLAGS=-modcacherw
go mod init finding >/dev/null 2>&1
go get github.com/99designs/gqlgen/graphql/handler/transport@v0.17.98 github.com/99designs/gqlgen/graphql/handler@v0.17.98 \
	github.com/coder/websocket@v1.8.15 github.com/vektah/gqlparser/v2@v2.5.64 >/dev/null 2>&1
go build -o asked . 2>/dev/null
got=$(./asked)
want='graphql-transport-ws refused: [] closed with 4403 "the token is over"
graphql-transport-ws over: ["type":"connection_ack"] closed with 1000 "terminated"
graphql-ws refused: ["type":"connection_error"] closed with 4403 "the token is over"
graphql-ws over: ["type":"connection_ack" "type":"ka" "type":"connection_error"] closed with 1000 "terminated"'
echo "$got"
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
