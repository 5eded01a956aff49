package natsauth_test

import (
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// What stands in the stream under subjects of somebody else is no revocation, whether it was
// so from the first, and the reading is filtered, or the stream gets the subjects later.
func TestFollow_OtherSubjects(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"from the first": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startNATS(t)
			js := n.connect()
			l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond})
			own, _ := l.StreamConfig()
			both := own
			both.Subjects = append([]string{"elsewhere.*"}, own.Subjects...)
			begun := own
			if first {
				begun = both
			}
			if _, err := js.CreateStream(t.Context(), begun); err != nil {
				t.Fatal(err)
			}
			r := follow(t, l)
			appendTokens(t, l, "before")
			r.awaitTokens("before")
			r.awaitCurrent(true)
			if got := readerFilter(t, n); (got == own.Subjects[0]) != first || !first && got != "" {
				t.Errorf("read with the filter %q", got)
			}
			if _, err := js.UpdateStream(t.Context(), both); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(t.Context(), "elsewhere.a", []byte(`{"token_id":"foreign"}`)); err != nil {
				t.Fatal(err)
			}
			appendTokens(t, l, "after")
			r.awaitTokens("after")
			if _, err := js.Publish(t.Context(), "elsewhere.b", []byte(`{"token_id":"foreign"}`)); err != nil {
				t.Fatal(err)
			}
			awaitRequests(t, js, 20) // the last message is none of ours, and nobody waits for it
			r.awaitCurrent(true)
			follow(t, newLog(t, n, natsauth.Config{})).awaitCurrent(true)
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.got["foreign"] != 0 {
				t.Error("a message of another subject counts as a revocation")
			}
		})
	}
}

// readerFilter returns what the readers of the revocations are filtered by: one, and on a
// busy machine what is left of it where it has begun again.
func readerFilter(t *testing.T, n *natsServer) string {
	t.Helper()
	filters := map[string]bool{}
	for info := range openStream(t, n, "oidcauth_revocations").ListConsumers(t.Context()).Info() {
		filters[info.Config.FilterSubject] = true
	}
	if len(filters) != 1 {
		t.Fatalf("the readers have the filters %v, want one", filters)
	}
	for filter := range filters {
		return filter
	}
	return ""
}
