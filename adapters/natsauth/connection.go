package natsauth

import (
	"context"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"
)

// warnOfEnd writes a line where the connection is given up some day, as one is that was made
// without options: nothing opens it again, and what the others revoke is not known from then
// on, until this process starts anew.
func (l *Log) warnOfEnd(conn *nats.Conn) {
	if conn == nil {
		return
	}
	var want []string
	if !conn.Opts.AllowReconnect {
		want = append(want, "without nats.NoReconnect()")
	}
	if conn.Opts.MaxReconnect >= 0 {
		want = append(want, "with nats.MaxReconnects(-1)")
	}
	if !conn.Opts.IgnoreAuthErrorAbort {
		want = append(want, "with nats.IgnoreAuthErrorAbort()")
	}
	if len(want) > 0 {
		l.logger.LogAttrs(context.Background(), slog.LevelWarn, "the connection to NATS is given up after an outage, "+
			"and nothing that is revoked is known from then on: make it "+strings.Join(want, ", "))
	}
}
