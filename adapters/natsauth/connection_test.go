package natsauth_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// A connection that is given up some day is not opened again: this server would learn no
// revocation from then on. New says so while there is time, and what to write instead.
func TestNew_ConnectionThatGivesUp(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	const forever, refused, given = "nats.MaxReconnects(-1)", "nats.IgnoreAuthErrorAbort()", "without nats.NoReconnect()"
	for _, tt := range []struct {
		name    string
		options []nats.Option
		want    []string
	}{
		{"as documented", []nats.Option{nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort()}, nil},
		{"as it comes", []nats.Option{nats.MaxReconnects(nats.DefaultMaxReconnect)}, []string{forever, refused}},
		{"never again", []nats.Option{nats.NoReconnect(), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort()}, []string{given}},
		{"not once", []nats.Option{nats.MaxReconnects(0), nats.IgnoreAuthErrorAbort()}, []string{forever}},
		{"until it is refused", []nats.Option{nats.MaxReconnects(-1)}, []string{refused}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log lockedBuffer
			if _, err := natsauth.New(natsauth.Config{
				JetStream: n.connect(tt.options...), Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}); err != nil {
				t.Fatal(err)
			}
			for _, advice := range []string{forever, refused, given} {
				if got, want := strings.Contains(log.String(), advice), strings.Contains(strings.Join(tt.want, " "), advice); got != want {
					t.Errorf("log %q: %s in it %t, want %t", log.String(), advice, got, want)
				}
			}
		})
	}
}
